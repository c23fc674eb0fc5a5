"""Networks named in a prompt: `<lora:name:te:unet>`, `<hypernet:name:w>`, with schedules inside their numbers."""

from dataclasses import dataclass

from sfumato.prompts.names import NetworkKind


@dataclass(frozen=True, slots=True)
class Network:
    """A network as it acts at one call.

    Attributes:
        kind, name: what the tag says; `key` is the library's for its file.
        te: weight on the text encoders (0 for a hypernetwork).
        unet: weight on the denoiser.
        rank: rank kept of the network, None for all.
        blocks: factor on the denoiser's weight per block, in the order written; empty for 1 throughout.
    """

    kind: NetworkKind
    name: str
    key: str
    te: float
    unet: float
    rank: int | None = None
    blocks: tuple[float, ...] = ()
