"""Marks: the places of a prompt to colour, and those that are probably not read as their writer meant.

A mark never changes the result. All places are turned back into places of what was typed, through styles, choices and tags. Rule: P3.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sfumato.prompts.attention import USUAL_WEIGHT, Span, SpanKind, read_emphasis
from sfumato.prompts.calls import PassSpan, state_of
from sfumato.prompts.comments import find_comments
from sfumato.prompts.composition import Composition
from sfumato.prompts.dynamic import Binding, Choice, Template, Variable, Wildcard
from sfumato.prompts.names import Library
from sfumato.prompts.networks import KINDS, find_tags
from sfumato.prompts.options import PromptOptions
from sfumato.prompts.schedules import Doubt, Schedule
from sfumato.prompts.traced import Traced
from sfumato.prompts.wording import Part

_BRACKETS = re.compile(r"\\[\s\S]|[()\[\]]|\b(AND)\b")
_WORDS = re.compile(r"[\w-]+")
_CONSTRUCTS: dict[type, SpanKind] = {Choice: "choice", Wildcard: "wildcard", Variable: "variable", Binding: "variable"}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A prompt on its way from what was typed to a text without choices.

    Attributes:
        text: as typed.
        template: with styles, without comments.
        tree: the choices in it, None if there are none.
        chosen: with choices made.
        doubts: found on the way, by places in `text`.
    """

    text: str
    template: Traced
    tree: Template | None
    chosen: Traced
    doubts: tuple[Doubt, ...]


def spans_of(source: Source, composition: Composition, options: PromptOptions, library: Library, passes: Sequence[PassSpan] = ()) -> tuple[Span, ...]:
    """All places worth a colour or a word, by place.

    Args:
        passes: where given, schedules that switch in none of them are marked.
    """
    found = {Span(start, end, "comment") for start, end in (find_comments(source.text) if options.comments else ())}
    found.update(_of_choices(source, library))
    said = {(span.start, span.end, span.message) for span in found}
    found.update(Span(*doubt[:2], "choice", doubt.message) for doubt in source.doubts if tuple(doubt) not in said)
    for span in _of_tags(composition):
        found.update(_traced_back(span, source.chosen))
    for span in _of_parts(composition, options, library, passes):
        start, end = composition.text.source(span.start, span.end)
        if span.message or composition.text.is_typed(span.start, span.end):
            found.update(_traced_back(span._replace(start=start, end=end), source.chosen))
    return tuple(sorted(found))


def losses_of(source: Source, composition: Composition, library: Library) -> tuple[str, ...]:
    """Sentences about what is named in a prompt and not had: styles, wildcards, networks, embeddings. For the result of a job, each once."""
    named = (*_of_choices(source, library), *_of_tags(composition), *_of_unfit_embeddings(composition.text.text, library))
    return tuple(dict.fromkeys([*(doubt.message for doubt in source.doubts), *(span.message for span in named if span.message)]))


def _traced_back(span: Span, traced: Traced) -> Iterator[Span]:
    """The span's place in the source. What a style or a choice put in is not coloured, but its doubts are kept."""
    if span.message or traced.is_typed(span.start, span.end):
        start, end = traced.source(span.start, span.end)
        yield span._replace(start=start, end=end)


def _of_choices(source: Source, library: Library) -> Iterator[Span]:
    for node in source.tree.constructs if source.tree else ():
        message = ""
        if isinstance(node, Wildcard) and not node.is_doubtful and library.wildcard(node.name) is None:
            message = f"There is no wildcard file '{node.name}': its name stays in the text."
        yield from _traced_back(Span(node.start, node.end, _CONSTRUCTS[type(node)], message), source.template)


def _of_tags(composition: Composition) -> Iterator[Span]:
    """Network tags, by places in the text they were taken from."""
    for place, tag in zip(composition.places, composition.tags):
        message = "" if tag else f"There is no network type '{place.type}'; known are {', '.join(KINDS)}. The tag is left out."
        yield Span(place.start, place.end, "network", message)
        yield from (Span(*doubt[:2], "network", doubt.message) for doubt in (tag.doubts if tag else ()))
    if composition.negative:
        for place in find_tags(composition.source):
            if not place.is_local and place.type in KINDS:
                message = "A network tag in the negative prompt is text. Write <@ instead of < to let it act on the negative side only."
                yield Span(place.start, place.end, "network", message)


def _of_parts(composition: Composition, options: PromptOptions, library: Library, passes: Sequence[PassSpan]) -> Iterator[Span]:
    """What stands in the text without tags, by places in it."""
    text = composition.text.text
    yield from _of_ands(composition, options)
    for portion, part in zip(composition.portions, composition.parts):
        if portion.number is not None:
            yield from _of_number(composition, portion.weight, portion.number)
        for span in _of_part(part, options, passes):
            yield span._replace(start=span.start + portion.start, end=span.end + portion.start)
    yield from _of_unfit_embeddings(text, library)


def _of_ands(composition: Composition, options: PromptOptions) -> Iterator[Span]:
    inside = set(_enclosed_ands(composition.text.text)) if composition.ands else set()
    for start, end in composition.ands:
        message = ""
        if composition.negative and not options.negative_and:
            message = "AND in the negative prompt is an ordinary word."
        elif (start, end) in inside:
            message = "AND cuts the prompt even inside brackets, and leaves each half of them on its own."
        yield Span(start, end, "and", message)


def _enclosed_ands(text: str) -> Iterator[tuple[int, int]]:
    """Places of AND between a bracket and the one that closes it."""
    waiting: list[tuple[int, int]] = []
    open_at: dict[str, list[int]] = {"(": [], "[": []}
    opener = {")": "(", "]": "["}
    seen = 0  # ANDs so far; those not yet known to be enclosed are the last of them
    for cut in _BRACKETS.finditer(text):
        if cut[1]:
            waiting.append(cut.span())
            seen += 1
        elif cut[0] in open_at:
            open_at[cut[0]].append(seen)
        elif cut[0] in opener and open_at[opener[cut[0]]]:
            enclosed = min(seen - open_at[opener[cut[0]]].pop(), len(waiting))
            yield from waiting[len(waiting) - enclosed :]
            del waiting[len(waiting) - enclosed :]


def _of_number(composition: Composition, weight: float | None, number: tuple[int, int]) -> Iterator[Span]:
    if weight is not None:
        outside = abs(weight) > USUAL_WEIGHT
        yield Span(*number, "weight", "The weight of this part is outside -3 to 3, where pictures usually fall apart." if outside else "")
    elif not composition.negative:
        yield Span(*number, "weight", "A number behind a colon at the end is text, unless the prompt has AND. For a weight, write (text:1.2).")


def _of_part(part: Part, options: PromptOptions, passes: Sequence[PassSpan]) -> Iterator[Span]:
    timeline = part.timeline
    yield from (Span(*doubt[:2], "schedule", doubt.message) for doubt in timeline.doubts)
    letters = list(part.text)
    for node in (*timeline.switches, *timeline.alternations):
        for start, end in node.pins:
            yield Span(start, end, "schedule")
            letters[start:end] = "," * (end - start)
    for schedule in timeline.switches:
        if message := _doubt_of(schedule, options, passes):
            starts, ends = zip(*schedule.pins)
            yield Span(min(starts), max(ends), "schedule", message)
    if options.emphasis != "none":
        # The signs of schedules are commas here: they separate, and mean nothing to emphasis.
        yield from read_emphasis("".join(letters), special_words=options.special_words).spans


def _doubt_of(schedule: Schedule, options: PromptOptions, passes: Iterable[PassSpan]) -> str:
    when = schedule.when
    if schedule.is_bare and not schedule.is_number and not when.is_highres and when.value < 2:
        return "This reads as text that appears from this moment on. If a weight was meant, write round brackets."
    sides = {state_of(call, span, options.timelines) <= when.boundary(span, options.timelines) for span in passes if span.calls for call in (0, span.calls - 1)}
    if len(sides) == 1:
        return f"This never switches: its {'first' if sides.pop() else 'second'} side holds at every call."
    return ""


def _of_unfit_embeddings(text: str, library: Library) -> Iterator[Span]:
    unfit = {embedding.name.casefold(): embedding for embedding in library.embeddings() if embedding.unfit}
    for word in _WORDS.finditer(text) if unfit else ():
        if embedding := unfit.get(word[0].casefold()):
            yield Span(*word.span(), "embedding", f"{embedding.unfit} The name stays text.")
