"""The token count: how full a prompt's chunks get, whatever is chosen and whichever call it is. Rule: P61 of the prompt language."""

from collections.abc import Sequence

from sfumato.prompts.calls import PassSpan
from sfumato.prompts.chunks import Layout, lay_out
from sfumato.prompts.reader import Reader
from sfumato.prompts.tokenizer import ClipTokenizer


def fullest_layout(
    reader: Reader, text: str, tokenizer: ClipTokenizer, passes: Sequence[PassSpan], *, negative: bool = False, styles: Sequence[str] = ()
) -> Layout:
    """The layout that takes most places, among all parts and all calls of some passes.

    Args:
        reader: that reads the prompt; its options tell how far back a comma is looked for.
        text: as typed; where there is something to choose, the longest counts.
        tokenizer: of the encoder, or CLIP's where that is not known.
    """
    prompt = reader.longest(text, lambda piece: len(tokenizer.encode(piece)), negative=negative, styles=styles)
    embeddings = prompt.embeddings(tokenizer)
    backtrack = reader.options.comma_padding_backtrack
    layouts = [lay_out(wording.pieces, tokenizer, backtrack=backtrack, embeddings=embeddings) for wording in prompt.wordings(*passes)]
    return max(layouts, key=lambda layout: layout.token_count)
