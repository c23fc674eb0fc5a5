"""What is said at each call of a sampling pass, for every image of a batch: parts with weights, masks and conditioning, all encoded before it begins.

Calls that say the same share one `State` object, so whatever is built from a state (contexts in the network's number format) is built once. Used so:

    span = PassSpan(first_calls=steps * row.call_factor)
    texts = [ImageTexts(positive, negative) for each image]                     # `Prompt`s of sfumato.prompts
    script = write_script(Conditioner(model, text_settings(request), loaded.encodings), texts, span,
                          areas=masks, with_empty=settings.needs_empty, report=lambda done, total: ...)

`areas` are (1, 1, h, w) masks at the latent's size for the parts behind the first (`areas.py` makes them); `report` is called before every chunk and at the
end and may raise to stop. `script.warnings` are for the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from sfumato.engine.conditioning import Conditioner, Conditioning, extended, filled
from sfumato.engine.networks.shares import NOTHING, Acting
from sfumato.prompts import Embedding, Network, Part, PassSpan, Prompt, Wording
from sfumato.prompts.networks import added
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests import JobWarning

Report = Callable[[int, int], None]
Networks = tuple[Network, ...]


class _Said(NamedTuple):
    """What is encoded together: the text, another one for the second encoder, the networks with which they are read, and the embeddings these bring along."""

    text: Wording
    second: Wording | None
    read_with: Networks
    bundled: tuple[Embedding, ...] = ()


class _Told(NamedTuple):
    """What a part is at one call: what it says, and which networks act on the denoiser meanwhile."""

    said: _Said
    networks: Networks


@dataclass(frozen=True)
class ImageTexts:
    """The prompts of one image; the second ones are for the second text encoder, where it reads something else."""

    positive: Prompt
    negative: Prompt
    positive_2: Prompt | None = None
    negative_2: Prompt | None = None

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Those that there are."""
        return tuple(prompt for prompt in (self.positive, self.negative, self.positive_2, self.negative_2) if prompt is not None)

    @property
    def bundled(self) -> tuple[Embedding, ...]:
        """The embeddings that networks named on any side bring along; all sides may name them."""
        records = dict.fromkeys(tag.record for prompt in self.prompts for tag in prompt.tags if tag.record is not None)
        return tuple(embedding for record in records for embedding in record.embeddings)


@dataclass(frozen=True, eq=False)
class Voice:
    """One part at one state: its weight, what it says, where it acts, (1, 1, h, w) in 0..1, None is everywhere, and the networks by which it is evaluated."""

    weight: float
    conditioning: Conditioning
    mask: Tensor | None = None
    networks: Acting = NOTHING


@dataclass(frozen=True, eq=False)
class ImageState:
    """What one image is told. `empty` is the empty prompt, if it was asked for; `networks` act on all that is no part of a prompt."""

    positive: tuple[Voice, ...]
    negative: tuple[Voice, ...]
    empty: Conditioning | None = None
    networks: Acting = NOTHING


@dataclass(frozen=True, eq=False)
class State:
    """What the images of a batch are told, as long as nothing changes."""

    images: tuple[ImageState, ...]


class Script:
    """The states of a pass.

    Attributes:
        span: the pass.
        warnings: about the texts.
    """

    def __init__(self, states: Sequence[State], span: PassSpan, warnings: tuple[JobWarning, ...] = ()) -> None:
        self._states = tuple(states)
        self.span = span
        self.warnings = warnings

    def at(self, call: int) -> State:
        """The state of a call; beyond the plan the last one stays."""
        return self._states[min(call, len(self._states) - 1)]

    @property
    def states(self) -> tuple[State, ...]:
        """Each once, in the order of the calls."""
        return tuple(dict.fromkeys(self._states))

    @property
    def images(self) -> int:
        return len(self._states[0].images)

    @property
    def turns_values(self) -> bool:
        """Whether any text turns values in cross-attention."""
        return any(voice.conditioning.signs is not None for voice in self._voices)

    @property
    def networks(self) -> tuple[Acting, ...]:
        """All sets of networks by which something is evaluated, each once."""
        empty = (image.networks for state in self.states for image in state.images if image.empty is not None)
        return tuple(dict.fromkeys([*(voice.networks for voice in self._voices), *empty]))

    @property
    def _voices(self) -> list[Voice]:
        return [voice for state in self.states for image in state.images for voice in (*image.positive, *image.negative)]


def constant_script(positive: Conditioning, negative: Conditioning, images: int = 1, calls: int = 1) -> Script:
    """One text and one negative text for all images and calls."""
    image = ImageState((Voice(1.0, positive),), (Voice(1.0, negative),))
    return Script([State((image,) * images)], PassSpan(calls))


def write_script(
    conditioner: Conditioner,
    images: Sequence[ImageTexts],
    span: PassSpan,
    *,
    areas: Sequence[Tensor] = (),
    with_empty: bool = False,
    report: Report = lambda done, total: None,
) -> Script:
    """Encode every distinct text of a pass once and tell what is in force when.

    Raises `Invalid` for more areas than parts, and whatever `report` raises.
    """
    parts = max(len(image.positive.parts) for image in images)
    if len(areas) > parts - 1:
        raise Invalid([Problem("areas", too_many_areas(len(areas), parts - 1))])
    writer = _Writer(conditioner, span, tuple(areas), with_empty)
    tracks = [writer.track(image) for image in images]
    writer.encode_all(tracks, report)
    known: dict[tuple[int, ...], State] = {}
    states = []
    for call in range(span.calls + 1):  # the call behind the last planned one stays for all that follow
        told = tuple(writer.image_state(track, call) for track in tracks)
        states.append(known.setdefault(tuple(map(id, told)), State(told)))
    return Script(states, span, (*conditioner.warnings, *writer.warnings()))


def count_passes(conditioner: Conditioner, images: Sequence[ImageTexts], span: PassSpan) -> int:
    """How many chunks `write_script` will encode, each by one encoder."""
    writer = _Writer(conditioner, span, (), False)
    return writer.passes(writer.wanted([writer.track(image) for image in images]))


def too_many_areas(areas: int, parts: int) -> str:
    """The sentence for more areas than parts of the prompt that could have one."""
    return f"Each area belongs to a part behind an AND: areas {areas}, such parts {parts}. Leave areas out, or write more parts; the first acts everywhere."


@dataclass(frozen=True, eq=False)
class _Track:
    """One image: what its sides say at each call, and the networks that act on all of it. `is_blank`: its negative prompt says nothing at any call."""

    texts: ImageTexts
    positive: tuple[tuple[_Told, ...], ...]
    negative: tuple[tuple[_Told, ...], ...]
    networks: tuple[Networks, ...]
    is_blank: bool


class _Writer:
    """What the images of a batch share while the script is written."""

    def __init__(self, conditioner: Conditioner, span: PassSpan, areas: tuple[Tensor, ...], with_empty: bool) -> None:
        self._conditioner = conditioner
        self._span = span
        self._areas = areas
        self._with_empty = with_empty
        self._sides: dict[object, tuple[tuple[_Told, ...], ...]] = {}
        self._encoded: dict[_Said, Conditioning] = {}
        self._states: dict[object, ImageState] = {}
        self._unrestored: list[str] = []
        self._empty: dict[Networks, Conditioning] = {}
        self._unconditional: dict[Networks, Conditioning] = {}

    def track(self, texts: ImageTexts) -> _Track:
        negatives = [prompt for prompt in (texts.negative, texts.negative_2) if prompt is not None]
        positives = [prompt for prompt in (texts.positive, texts.positive_2) if prompt is not None]
        calls = range(self._span.calls + 1)
        networks = tuple(added(network for prompt in positives for network in prompt.networks_at(call, self._span)) for call in calls)
        return _Track(
            texts,
            self._side(texts.positive, texts.positive_2, networks, texts.bundled),
            self._side(texts.negative, texts.negative_2, networks, texts.bundled),
            networks,
            all(prompt.is_empty(self._span) for prompt in negatives),
        )

    def _side(self, prompt: Prompt, second: Prompt | None, networks: Sequence[Networks], bundled: tuple[Embedding, ...]) -> tuple[tuple[_Told, ...], ...]:
        """For every call what each part says, and with which networks; a part that the second prompt lacks takes that one's last."""

        own, others = prompt.parts, second.parts if second else ()

        def told(part: Part, spoken: Wording | None, call: int) -> _Told:
            said = part.at(call, self._span)
            acting = added((*networks[call], *said.networks, *(spoken.networks if spoken else ())))
            return _Told(_Said(said, spoken, reading(acting), bundled), acting)

        def at(call: int) -> tuple[_Told, ...]:
            spoken = [part.at(call, self._span) for part in others]
            return tuple(told(part, spoken[min(number, len(spoken) - 1)] if spoken else None, call) for number, part in enumerate(own))

        # Images whose texts are equal share their parts.
        key = own, others, tuple(networks), bundled
        if key not in self._sides:
            self._sides[key] = tuple(at(call) for call in range(self._span.calls + 1))
        return self._sides[key]

    def wanted(self, tracks: Sequence[_Track]) -> dict[_Said, str]:
        """Every text once, and the side that says it first."""
        wanted: dict[_Said, str] = {}
        for track in tracks:
            for call in range(self._span.calls + 1):
                wanted.update({told.said: "prompt" for told in track.positive[call]})
                if not self._takes_zeros(track):
                    for told in track.negative[call]:
                        wanted.setdefault(told.said, "negative")
        return wanted

    def passes(self, wanted: Iterable[_Said]) -> int:
        return sum(self._conditioner.passes(said.text, said.second, said.bundled) for said in wanted)

    def encode_all(self, tracks: Sequence[_Track], report: Report) -> None:
        """Every text once; `report` before each chunk and at the end."""
        wanted = self.wanted(tracks)
        # Texts that are read with the same networks one after the other: these are brought into the encoders once.
        sets = list(dict.fromkeys(said.read_with for said in wanted))
        wanted = dict(sorted(wanted.items(), key=lambda item: sets.index(item[0].read_with)))
        total = self.passes(wanted)
        done = 0

        def each() -> None:
            nonlocal done
            report(done, total)
            done += 1

        for said, path in wanted.items():
            made = self._conditioner.encode(said.text, said.second, each, said.read_with, said.bundled)
            self._encoded[said] = made
            if made.is_unrestored and path not in self._unrestored:
                self._unrestored.append(path)
        for networks in dict.fromkeys(reading(each) for track in tracks if self._with_empty or self._takes_zeros(track) for each in track.networks):
            self._unconditional_with(networks)
        report(total, total)

    def _unconditional_with(self, networks: Networks) -> Conditioning:
        """The empty negative prompt; where it is zeros, networks do not matter."""
        key = () if self._conditioner.zeroes_empty_negative else networks
        if key not in self._unconditional:
            self._unconditional[key] = self._conditioner.unconditional(key)
        return self._unconditional[key]

    def _takes_zeros(self, track: _Track) -> bool:
        return track.is_blank and self._conditioner.zeroes_empty_negative

    def warnings(self) -> tuple[JobWarning, ...]:
        sentence = "The weights of the {} cancel each other out, so their mean was not restored."
        return tuple(JobWarning(code="emphasis_mean", message=sentence.format(path), path=path) for path in self._unrestored)

    def image_state(self, track: _Track, call: int) -> ImageState:
        """What an image is told at a call, the same object for the same words."""
        positive, negative, networks = track.positive[call], track.negative[call], track.networks[call]
        weights = tuple(part.weight for prompt in (track.texts.positive, track.texts.negative) for part in prompt.parts)
        key = positive, negative, networks, weights, track.is_blank
        if key not in self._states:
            self._states[key] = self._make_state(track, positive, negative, networks)
        return self._states[key]

    def _make_state(self, track: _Track, positive: tuple[_Told, ...], negative: tuple[_Told, ...], networks: Networks) -> ImageState:
        read_with = reading(networks)
        towards = _levelled([self._encoded[told.said] for told in positive])
        if self._takes_zeros(track):
            away = [self._unconditional_with(read_with)] * len(negative)
        else:
            away = _levelled([self._encoded[told.said] for told in negative])
        towards, away = self._padded(towards, away, read_with)
        acting = self._conditioner.acting
        voices = [
            Voice(part.weight, made, self._areas[number - 1] if 0 < number <= len(self._areas) else None, acting(told.networks))
            for number, (part, made, told) in enumerate(zip(track.texts.positive.parts, towards, positive, strict=True))
        ]
        others = [Voice(part.weight, made, networks=acting(told.networks)) for part, made, told in zip(track.texts.negative.parts, away, negative, strict=True)]
        return ImageState(tuple(voices), tuple(others), self._unconditional_with(read_with) if self._with_empty else None, acting(networks))

    def _padded(self, towards: list[Conditioning], away: list[Conditioning], read_with: Networks) -> tuple[list[Conditioning], list[Conditioning]]:
        """Both sides equally long, if the settings ask for it."""
        long, other = towards[0].length, away[0].length
        mode = self._conditioner.settings.pad_conds
        if long == other or mode == "off":
            return towards, away
        if mode == "v0":
            return towards, [extended(made, long) for made in away]
        if read_with not in self._empty:
            self._empty[read_with] = self._conditioner.empty(read_with)
        length, empty = max(long, other), self._empty[read_with]
        return [filled(made, length, empty) for made in towards], [filled(made, length, empty) for made in away]


def reading(networks: Sequence[Network]) -> Networks:
    """What of networks matters to the text encoders: a change of anything else needs no encoding."""
    return added(replace(network, unet=0.0, blocks=None) for network in networks if network.te)


def _levelled(parts: list[Conditioning]) -> list[Conditioning]:
    """The shorter parts of a side extended to the longest."""
    longest = max(part.length for part in parts)
    return [part if part.length == longest else extended(part, longest) for part in parts]
