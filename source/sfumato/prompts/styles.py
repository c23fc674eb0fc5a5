"""Styles: named texts put around a prompt, and found again in one that was. Rules: P57, P58 of the prompt language; files are `library.styles`' business."""

from collections.abc import Callable, Iterable, Sequence

from sfumato.prompts.names import Style
from sfumato.prompts.traced import Traced, Weaver

PLACE = "{prompt}"
_JOINT = ", "
# A style may hold the place of the prompt several times; several of these would grow without bound.
_LARGEST = 1_000_000


def applied(prompt: Traced, texts: Iterable[str]) -> Traced:
    """The prompt with style texts around it, in their order.

    Args:
        texts: of one side, positive or negative; a text with `{prompt}` takes the prompt in there, any other follows it behind a comma.
    """
    end = len(prompt.text)
    for text in texts:
        pieces = text.split(PLACE)
        if len(prompt.text) * (len(pieces) - 1) > _LARGEST:
            continue
        weaver = Weaver()
        if len(pieces) > 1:
            weaver.insert(pieces[0], 0, 0)
            for piece in pieces[1:]:
                weaver.copy(prompt, 0, len(prompt.text))
                weaver.insert(piece, end, end)
        else:
            said = text.strip()
            start, stop = _trimmed(prompt.text)
            weaver.copy(prompt, start, stop)
            weaver.insert(_JOINT if said and start < stop else "", end, end)
            weaver.insert(said, end, end)
        prompt = weaver.done()
    return prompt


def _trimmed(text: str) -> tuple[int, int]:
    start = len(text) - len(text.lstrip())
    return start, max(start, len(text.rstrip()))


def apply_styles(prompt: str, negative: str, styles: Sequence[Style]) -> tuple[str, str]:
    """Both texts with the styles around them."""
    sides: tuple[tuple[str, Callable[[Style], str]], ...] = ((prompt, lambda style: style.prompt), (negative, lambda style: style.negative))
    first, second = (applied(Traced.typed(text), map(side, styles)).text for text, side in sides)
    return first, second


def recognise(prompt: str, negative: str, styles: Sequence[Style]) -> tuple[str, str, tuple[str, ...]]:
    """Take styles out of a pair of texts that they were applied to.

    A style is found where both its texts are; of several the one that explains most text is taken, and so on until none is left.

    Returns:
        The texts without the styles, and the styles' names in the order in which they were applied.
    """
    names: list[str] = []
    # The longest first: a style whose text ends another's must not be taken for it.
    waiting = sorted((style for style in styles if style.prompt.strip() or style.negative.strip()), key=lambda style: -len(style.prompt + style.negative))
    while True:
        for style in waiting:
            first, second = _inside(prompt, style.prompt), _inside(negative, style.negative)
            if first is not None and second is not None:
                prompt, negative = first, second
                names.append(style.name)
                waiting.remove(style)
                break
        else:
            return prompt, negative, tuple(reversed(names))


def _inside(text: str, style: str) -> str | None:
    """What a style text was applied to to give `text`; None if it was not."""
    said = style.strip()
    if PLACE in style:
        before, _, after = style.partition(PLACE)
        if PLACE in after or not (text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)):
            return None
        return text[len(before) : len(text) - len(after)]
    if not said:
        return text
    rest = text.strip()
    if rest == said:
        return ""
    return rest.removesuffix(_JOINT + said) if rest.endswith(_JOINT + said) else None
