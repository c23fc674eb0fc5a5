"""The reader: a prompt as typed becomes a `Prompt`, which tells for every call of a sampling pass what each of its parts says.

Order: styles, comments, choices, network tags, AND parts, schedules, attention. Tokens and chunks are laid out by `chunks`. Equal texts are read once per
`Reader`, that is once per job. Rules: P1-P5, P44, P55-P57 and the switches of P65.
"""

from collections.abc import Sequence
from functools import cached_property

from sfumato.prompts.attention import Span
from sfumato.prompts.calls import PassSpan
from sfumato.prompts.choosers import AtRandom, ByPath, Chooser, Longest, Measure, Stream, paths
from sfumato.prompts.choosing import Choosing
from sfumato.prompts.comments import without_comments
from sfumato.prompts.composition import Composition, compose
from sfumato.prompts.dynamic import Template, read_template, seems_dynamic
from sfumato.prompts.embeddings import EmbeddingTable
from sfumato.prompts.marking import Source, losses_of, spans_of
from sfumato.prompts.names import EmptyLibrary, Library, Style
from sfumato.prompts.networks import Network, NetworkTag, added
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.schedules import Doubt
from sfumato.prompts.styles import applied
from sfumato.prompts.tokenizer import ClipTokenizer
from sfumato.prompts.traced import Traced
from sfumato.prompts.wording import Phase, Wording

# Texts with choices made that a job remembers: more than a batch has. A long job of many choices must not keep them all.
_TEXTS_KEPT = 256


class Prompt:
    """What a prompt means.

    Attributes:
        source: as typed.
        template: with styles, without comments, choices not yet made.
        text: choices made, network tags kept; what other programs are told.
        parts: at least one.
    """

    def __init__(self, source: Source, composition: Composition, options: PromptOptions, library: Library) -> None:
        self.source = source.text
        self.template = source.template.text
        self.text = source.chosen.text
        self.parts = composition.parts
        self._written = source
        self._composition = composition
        self._options = options
        self._library = library

    def networks_at(self, call: int, span: PassSpan) -> tuple[Network, ...]:
        """The networks that act on all parts at a call, each once, in the order written."""
        return added(network for part in self.parts for network in part.networks_at(call, span))

    @property
    def tags(self) -> tuple[NetworkTag, ...]:
        """All network tags of known types, in order."""
        return tuple(tag for tag in self._composition.tags if tag is not None)

    @property
    def missing(self) -> tuple[NetworkTag, ...]:
        """Tags whose file was not found or cannot be used; their `doubts` say why."""
        return tuple(tag for tag in self.tags if tag.record is None)

    @property
    def losses(self) -> tuple[str, ...]:
        """Sentences for the job's result: what is named here and not there, or cannot be used."""
        return losses_of(self._written, self._composition, self._library)

    def phases(self, span: PassSpan) -> tuple[Phase, ...]:
        """The planned calls of a pass, cut where anything changes."""
        calls = sorted({call for part in self.parts for call in part.changes(span)})
        found: list[Phase] = []
        for call, following in zip(calls, [*calls[1:], span.calls]):
            wordings = tuple(part.at(call, span) for part in self.parts)
            networks = self.networks_at(call, span)
            first = call
            if found and found[-1].networks == networks and all(mine is theirs for mine, theirs in zip(found[-1].wordings, wordings)):
                first = found.pop().first
            found.append(Phase(first, following - 1, wordings, networks))
        return tuple(found)

    def wordings(self, *spans: PassSpan) -> tuple[Wording, ...]:
        """All that is said in some passes, each once: what must be encoded."""
        return tuple(dict.fromkeys(wording for span in spans for part in self.parts for wording in part.wordings(span)))

    def is_empty(self, *spans: PassSpan) -> bool:
        """Whether nothing is said at any call of these passes (the negative side of SDXL is then zero)."""
        return all(wording.is_empty for wording in self.wordings(*spans))

    def embeddings(self, tokenizer: ClipTokenizer) -> EmbeddingTable:
        """The words that are embeddings here: the library's, and those that the networks named here bring along."""
        bundled = [embedding for tag in self.tags if tag.record is not None for embedding in tag.record.embeddings]
        return EmbeddingTable([*bundled, *self._library.embeddings()], tokenizer)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Places of the source to colour; those with a message are suspicious."""
        return self.spans_in()

    def spans_in(self, *passes: PassSpan) -> tuple[Span, ...]:
        """`spans`, and marks on schedules that switch at no call of these passes."""
        return spans_of(self._written, self._composition, self._options, self._library, passes)


class Reader:
    """Reads the prompts of one job; equal texts are read once."""

    def __init__(self, options: PromptOptions | None = None, library: Library | None = None) -> None:
        self.options = options or PromptOptions()
        self.library: Library = library or EmptyLibrary()
        self._templates: dict[tuple[str, tuple[str, ...], bool], tuple[Traced, Template | None, list[Doubt]]] = {}
        self._compositions: dict[tuple[str, bool], Composition] = {}
        self._prompts: dict[tuple[str, tuple[str, ...], bool], Prompt] = {}
        self._paths: dict[tuple[str, tuple[str, ...], bool, int], list[tuple[int, ...]]] = {}

    def read(
        self,
        text: str,
        *,
        stream: str = "positive",
        seed: int = 0,
        image_index: int = 0,
        negative: bool = False,
        styles: Sequence[str] = (),
        path: Sequence[int] | None = None,
    ) -> Prompt:
        """Read a prompt for one image.

        Args:
            text: as typed.
            stream: which text of the request it is ("positive", "negative", "highres", ...): each chooses for itself.
            seed: of the choices, by default the image's.
            image_index: of the image in the job, for wildcards that are walked in order.
            negative: whether it is the negative side.
            styles: names, in the order chosen.
            path: choices already made, from `combinations`; stream and seed then do not matter.
        """
        chooser = AtRandom(Stream(stream, seed)) if path is None else ByPath(path)
        return self._read(text, chooser, image_index, negative, styles)

    def combinations(self, text: str, limit: int, *, negative: bool = False, styles: Sequence[str] = ()) -> list[tuple[int, ...]]:
        """A `path` for each combination of the choices in a prompt, the first options first, at most `limit`."""
        traced, template, _ = self._template(text, negative, styles)
        if template is None:
            return [()]
        key = text, tuple(styles), negative, limit
        if key not in self._paths:
            self._paths[key] = paths(lambda chooser: Choosing(template, traced, self.library, chooser), limit)
        return self._paths[key]

    def longest(self, text: str, measure: Measure, *, negative: bool = False, styles: Sequence[str] = ()) -> Prompt:
        """The prompt with the longest of everything there is to choose from; `measure` tells the length of a text."""
        return self._read(text, Longest(measure), 0, negative, styles)

    def _read(self, text: str, chooser: Chooser, image_index: int, negative: bool, styles: Sequence[str]) -> Prompt:
        key = text, tuple(styles), negative
        if key in self._prompts:
            return self._prompts[key]
        template, tree, doubts = self._template(text, negative, styles)
        if tree is None:
            self._prompts[key] = self._prompt(Source(text, template, None, template, tuple(doubts)), negative)
            return self._prompts[key]
        choosing = Choosing(tree, template, self.library, chooser, image_index)
        source = Source(text, template, tree, choosing.text, (*doubts, *choosing.doubts))
        return self._prompt(source, negative)

    def _template(self, text: str, negative: bool, styles: Sequence[str]) -> tuple[Traced, Template | None, list[Doubt]]:
        """The text with styles and without comments, and its choices; None if it has none."""
        key = text, tuple(styles), negative
        if key not in self._templates:
            doubts: list[Doubt] = []
            traced = self._without_comments(Traced.typed(text))
            known = [style for name in styles if (style := self._style(name, doubts)) is not None]
            # Comments go before styles come: a comment at the end of a prompt must not swallow the style behind it.
            texts = [self._without_comments(Traced.typed(style.negative if negative else style.prompt)).text for style in known]
            traced = applied(traced, texts)
            template = read_template(traced.text) if self.options.dynamic and seems_dynamic(traced.text) else None
            self._templates[key] = traced, template if template and template.constructs else None, doubts
        return self._templates[key]

    def _without_comments(self, traced: Traced) -> Traced:
        return without_comments(traced) if self.options.comments else traced

    def _style(self, name: str, doubts: list[Doubt]) -> Style | None:
        style = self.library.style(name)
        if style is None:
            doubts.append(Doubt(0, 0, f"There is no style called '{name}': it is left out."))
        return style

    def _prompt(self, source: Source, negative: bool) -> Prompt:
        key = source.chosen.text, negative
        composition = self._compositions.get(key)
        if composition is None:
            composition = self._compositions[key] = compose(source.chosen.text, self.options, self.library, negative=negative)
            if len(self._compositions) > _TEXTS_KEPT:
                self._compositions.pop(next(iter(self._compositions)), None)
        return Prompt(source, composition, self.options, self.library)


def read_prompt(
    text: str,
    *,
    options: PromptOptions | None = None,
    library: Library | None = None,
    stream: str = "positive",
    seed: int = 0,
    image_index: int = 0,
    negative: bool = False,
    styles: Sequence[str] = (),
) -> Prompt:
    """Read one prompt; arguments as `Reader` and `Reader.read`, which reads all prompts of a job."""
    return Reader(options, library).read(text, stream=stream, seed=seed, image_index=image_index, negative=negative, styles=styles)
