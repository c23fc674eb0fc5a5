"""Network tags as a list: what they say, and how one is written anew while everything else of it stays as it was typed."""

from dataclasses import dataclass

from sfumato.prompts.calls import PassSpan
from sfumato.prompts.editing import Edit
from sfumato.prompts.names import EmptyLibrary, Library, NetworkKind
from sfumato.prompts.networks import KINDS, Argument, TagPlace, arguments_of, find_tags, read_tag
from sfumato.prompts.options import LoraOrder

_CALLS = PassSpan(1000)


@dataclass(frozen=True, slots=True)
class ListedTag:
    """A tag as a row of a list.

    Attributes:
        start, end: where it stands.
        kind, name, is_local: what it names.
        weight, clip: on the denoiser and on the text encoders; of scheduled ones what holds at the first call.
        follows: whether `clip` is not written, and the same as `weight`.
        blocks: the block weights as written, "" for none.
        is_plain: False where a number is a schedule, which a slider would destroy.
        missing: whether the library has no such file.
    """

    start: int
    end: int
    kind: NetworkKind
    name: str
    is_local: bool
    weight: float
    clip: float
    follows: bool
    blocks: str
    is_plain: bool
    missing: bool


def listed_tags(text: str, library: Library | None = None, order: LoraOrder = "te_unet", negative: bool = False) -> list[ListedTag]:
    """The tags of a prompt, in order; of a negative prompt only the local ones, the others are text there."""
    library = library or EmptyLibrary()
    found = []
    for place in find_tags(text):
        if place.type not in KINDS or (negative and not place.is_local):
            continue
        tag = read_tag(text, place, library, order)
        arguments = arguments_of(text, place, library)
        clip = tag.te.at(1, _CALLS, "new") if tag.te else 1.0
        weight = tag.unet.at(1, _CALLS, "new") if tag.unet else 1.0
        lists = [text[item.start : item.end] for item in arguments if item.role in ("list", "lbw")]
        is_plain = all(item.is_plain for item in arguments if item.role in ("number", "te", "unet"))
        found.append(
            ListedTag(
                place.start,
                place.end,
                tag.kind,
                tag.name,
                place.is_local,
                weight,
                clip,
                _clip(arguments, order) is None or _weight(arguments, order) is None,
                lists[-1] if lists else "",
                is_plain,
                tag.record is None,
            )
        )
    return found


def with_weight(text: str, tag: ListedTag, weight: float, order: LoraOrder = "te_unet") -> Edit | None:
    """Write the weight; a weight on the text encoders of its own stays. None where a schedule stands in its place, or the tag is gone."""
    return _with_numbers(text, tag, weight, None if tag.follows else tag.clip, order)


def with_clip(text: str, tag: ListedTag, clip: float | None, order: LoraOrder = "te_unet") -> Edit | None:
    """Write the weight on the text encoders; None: the same as the weight."""
    return _with_numbers(text, tag, tag.weight, clip, order)


def with_blocks(text: str, tag: ListedTag, blocks: str) -> Edit | None:
    """Write block weights, numbers with commas or the name of a preset; "" removes them. None where the tag is gone."""
    place = _place(text, tag)
    if place is None:
        return None
    written = next((item for item in arguments_of(text, place, EmptyLibrary()) if item.role in ("list", "lbw")), None)
    blocks = "".join(blocks.split())
    if written is None:
        return _edit(place.end - 1, place.end - 1, f":lbw={blocks}" if blocks else "")
    if blocks:
        return _edit(written.start, written.end, blocks)
    return _edit(text.rfind(":", place.start, written.start), written.end, "")


def without_tag(text: str, tag: ListedTag) -> Edit:
    """Take a tag out, and one of the blanks or commas that would be left on its two sides."""
    start, end = tag.start, tag.end
    before, after = text[:start], text[end:]
    if before.endswith(", ") and (after.startswith(",") or not after.strip()):
        start -= 2
    elif before.endswith(" ") and (after.startswith((" ", "\n", ",")) or not after):
        start -= 1
    elif not before.strip() and after.startswith((", ", " ")):
        end += 2 if after.startswith(", ") else 1
    return _edit(start, end, "")


def with_tag(text: str, tag: str, place: int | None = None) -> Edit:
    """Put a tag in at a place, by default behind the text and a blank."""
    place = len(text) if place is None else max(0, min(place, len(text)))
    glue = " " if place and not text[place - 1].isspace() else ""
    return _edit(place, place, glue + tag)


def _with_numbers(text: str, tag: ListedTag, weight: float, clip: float | None, order: LoraOrder) -> Edit | None:
    place = _place(text, tag)
    if place is None or not tag.is_plain:
        return None
    arguments = arguments_of(text, place, EmptyLibrary())
    numbers = [item for item in arguments if item.role == "number"][:2]
    if any(item.role in ("te", "unet") for item in arguments) or (len(arguments) > 1 and arguments[1].role == "list"):
        return _with_named(text, place, arguments, numbers, weight, clip)
    both = [clip, weight] if order == "te_unet" else [weight, clip]
    written = _number(weight) if clip is None else ":".join(_number(each) for each in both if each is not None)
    if not numbers:
        return _edit(arguments[0].end, arguments[0].end, f":{written}")
    if clip is None and len(numbers) == 2 and len([item for item in arguments if item.role == "number"]) > 2:
        written = f"{written}:{written}"  # the rank stands third
    return _edit(numbers[0].start, numbers[-1].end, written)


def _with_named(text: str, place: TagPlace, arguments: list[Argument], numbers: list[Argument], weight: float, clip: float | None) -> Edit:
    """Write the numbers by name: the whole tag anew, its other arguments as they were."""
    dropped = {item.start for item in numbers}
    kept = [text[arguments[0].start : arguments[0].end]]
    for number, item in enumerate(arguments[1:], 1):
        begin = arguments[number - 1].end + 1
        if item.role not in ("te", "unet") and item.start not in dropped:
            kept.append(text[begin : item.end])
    kept += [f"te={_number(weight if clip is None else clip)}", f"unet={_number(weight)}"]
    return _edit(place.arguments, place.end - 1, ":".join(kept))


def _place(text: str, tag: ListedTag) -> TagPlace | None:
    return next((place for place in find_tags(text) if (place.start, place.end) == (tag.start, tag.end)), None)


def _clip(arguments: list[Argument], order: LoraOrder) -> Argument | None:
    """Where the weight on the text encoders is written on its own."""
    return _named_or_place(arguments, "te", 0 if order == "te_unet" else 1)


def _weight(arguments: list[Argument], order: LoraOrder) -> Argument | None:
    if len(arguments) > 1 and arguments[1].role == "list":
        return _named_or_place(arguments, "unet", 1)
    return _named_or_place(arguments, "unet", 1 if order == "te_unet" else 0)


def _named_or_place(arguments: list[Argument], role: str, number: int) -> Argument | None:
    named = [item for item in arguments if item.role == role]
    numbers = [item for item in arguments if item.role == "number"]
    return named[-1] if named else numbers[number] if number < len(numbers) else None


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:g}"


def _edit(start: int, end: int, text: str) -> Edit:
    return Edit(start, end, text, (start + len(text), start + len(text)))
