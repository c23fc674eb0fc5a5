"""Which networks act on which model of a job: prompts' tags as files that fit, or as reasons why not. Rules: P38, P42, P43, E91, E120.

All files are opened before anything is computed. A network that a model's own prompt names must fit it; one that only comes along, because a later model
reads the first pass's prompt, is left out there and named in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.engine.family import Model, TextEncoder
from sfumato.engine.layouts.original import UNET
from sfumato.engine.networks.changing import ActingHypernetworks, ChangingNetworks
from sfumato.engine.networks.file import NetworkFile
from sfumato.engine.networks.hypernetworks import Hypernetwork, KeptHypernetworks
from sfumato.engine.networks.kept_networks import KeptNetworks
from sfumato.engine.networks.shares import NOTHING, Acting, Share, Shares, arranged, shared_by_all
from sfumato.engine.networks.weights import NetworkWeights
from sfumato.prompts import Network, NetworkTag
from sfumato.prompts.blocks import BlockWeights
from sfumato.protocol.errors import FileTrouble, ModelIncompatible
from sfumato.protocol.requests import JobWarning

if TYPE_CHECKING:
    from sfumato.engine.attachments import Attachment

Check = Callable[[], None]


class JobNetworks:
    """The networks of one job.

    Args:
        files, hypernetworks: what is kept open between jobs.
        weights: keeper of the process's weights.
        check: called before each tensor that is read or computed; may raise to stop.

    Attributes:
        warnings: what was left out, and why.
    """

    def __init__(self, files: KeptNetworks, hypernetworks: KeptHypernetworks, weights: NetworkWeights, check: Check) -> None:
        self.warnings: list[JobWarning] = []
        self.weights = weights
        self.check = check
        self._files = files
        self._hypernetworks = hypernetworks
        self._of: dict[int, ModelNetworks] = {}

    def of(self, model: Model) -> ModelNetworks:
        """Those of one model."""
        if id(model) not in self._of:
            self._of[id(model)] = ModelNetworks(model, self)
        return self._of[id(model)]

    def read(self, tag: NetworkTag, model: Model, path: str, is_own: bool) -> NetworkFile | Hypernetwork | None:
        """The file of a tag; None if it does not fit and only came along.

        Args:
            path: the request field that the tag stands in.
            is_own: the prompt was written for this model.

        Raises the errors of `open_network` and `open_hypernetwork`, with that field.
        """
        assert tag.record is not None
        file = Path(tag.record.key)
        try:
            if tag.kind == "hypernet":
                hypernetwork = self._hypernetworks.open(file, self.check)
                hypernetwork.check_fit(model)
                return hypernetwork
            return self._files.open(file, model, self.check, path)
        except ModelIncompatible as error:
            if is_own:
                error.path = path
                raise
            self.warn(JobWarning(code="network", message=f"{error.message} It was left out there.", path=path))
            return None
        except FileTrouble as error:
            error.path = path
            raise

    def warn(self, warning: JobWarning) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


class ModelNetworks:
    """What the networks named in prompts do to one model."""

    def __init__(self, model: Model, job: JobNetworks) -> None:
        self._model = model
        self._job = job
        self._opened: dict[tuple[str, str], NetworkFile | Hypernetwork | None] = {}
        self._known: dict[tuple[Network, ...], Acting] = {}

    def open(self, tags: Iterable[NetworkTag], path: str, is_own: bool) -> None:
        """Open the files of tags; arguments and errors as `JobNetworks.read`."""
        for tag in tags:
            if tag.record is not None and (key := (tag.kind, tag.record.key)) not in self._opened:
                self._opened[key] = self._job.read(tag, self._model, path, is_own)

    def acting(self, networks: Sequence[Network]) -> Acting:
        """What acts on the denoiser."""
        key = tuple(replace(network, te=0.0) for network in networks if network.unet)
        if key not in self._known:
            shares = [share for network in key if (share := self._share(network, network.unet, UNET)) is not None]
            hypers = [(found, network.unet) for network in key if isinstance(found := self._found(network), Hypernetwork)]
            self._known[key] = Acting(arranged(shares), tuple(hypers)) if shares or hypers else NOTHING
        return self._known[key]

    def reading(self, encoder: TextEncoder, networks: Sequence[Network]) -> Shares:
        """What acts on a text encoder."""
        return arranged(share for network in networks if (share := self._share(replace(network, blocks=None), network.te, encoder.part)) is not None)

    def merge_into(self, encoder: TextEncoder, shares: Shares) -> None:
        """Let a text encoder read with these networks, and no others, from now on."""
        self._job.weights.of(encoder.tower).merge(shares, encoder.part, self._job.check)

    def bring(self, acting: Sequence[Acting]) -> list[Attachment]:
        """Merge into the denoiser what acts throughout; what takes turns are the attachments to evaluate it with.

        Args:
            acting: all that will be asked for.
        """
        sets = [each.shares for each in acting]
        base = shared_by_all(sets)
        self._job.weights.of(self._model.unet).merge(base, UNET, self._job.check)
        attachments: list[Attachment] = []
        if any(shares != base for shares in sets):
            attachments.append(ChangingNetworks(self._job.weights, base, sets, self._job.check))
        if any(each.hypernetworks for each in acting):
            attachments.append(ActingHypernetworks())
        return attachments

    def _found(self, network: Network) -> NetworkFile | Hypernetwork | None:
        return self._opened.get((network.kind, network.key))

    def _share(self, network: Network, weight: float, part: str) -> Share | None:
        """None for what does nothing to this part."""
        file = self._found(network)
        if not isinstance(file, NetworkFile) or not weight or all(target.part != part for target in file.deltas):
            return None
        return Share(file, weight, network.rank, self._blocks(network))

    def _blocks(self, network: Network) -> BlockWeights | None:
        """A list for models with other blocks counts as 1 throughout."""
        blocks = network.blocks
        if blocks is None or blocks.layout == self._model.family.block_lists:
            return blocks
        sentence = f"The block weights of '{network.name}' are a list for other models than {self._model.family.title}: 1 was taken in every block."
        self._job.warn(JobWarning(code="network", message=sentence, path="prompt"))
        return None
