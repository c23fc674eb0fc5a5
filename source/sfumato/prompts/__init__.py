"""The prompt language: what a prompt means, for the engine, the editor and the command line alike.

`Reader` (or `read_prompt`) reads: `styles`, `comments`, `dynamic` and `choosing`, `networks`, `composition`, `schedules`, `attention`, in this order. `chunks`
lays the words out for an encoder, `understand` tells a person. Pure Python: no file but the vocabulary is read, no clock, no state; what has a name comes from
a `Library` passed in, and the same text, options and seed always give the same plan.
"""

from sfumato.prompts.attention import Break, Piece, Segment, Span, SpecialToken
from sfumato.prompts.calls import PassSpan
from sfumato.prompts.chunks import BACKTRACK, CLIP_L_PADDING, OPEN_CLIP_PADDING, Chunk, Placed, framed, lay_out
from sfumato.prompts.counting import fullest_layout
from sfumato.prompts.embeddings import NO_EMBEDDINGS, EmbeddingTable
from sfumato.prompts.names import Embedding, EmptyLibrary, Library, Lines, NetworkIndex, NetworkRecord, Style
from sfumato.prompts.networks import Network, NetworkTag
from sfumato.prompts.options import Emphasis, PromptOptions, foreign_switches
from sfumato.prompts.plan import Plan, PlanDocument, understand
from sfumato.prompts.reader import Prompt, Reader, read_prompt
from sfumato.prompts.styles import apply_styles, recognise
from sfumato.prompts.tokenizer import END, START, ClipTokenizer, clip_tokenizer
from sfumato.prompts.wording import Part, Phase, Wording, plain_text

__all__ = [
    "BACKTRACK",
    "CLIP_L_PADDING",
    "END",
    "NO_EMBEDDINGS",
    "OPEN_CLIP_PADDING",
    "START",
    "Break",
    "Chunk",
    "ClipTokenizer",
    "Embedding",
    "EmbeddingTable",
    "Emphasis",
    "EmptyLibrary",
    "Library",
    "Lines",
    "Network",
    "NetworkIndex",
    "NetworkRecord",
    "NetworkTag",
    "Part",
    "PassSpan",
    "Phase",
    "Piece",
    "Placed",
    "Plan",
    "PlanDocument",
    "Prompt",
    "PromptOptions",
    "Reader",
    "Segment",
    "Span",
    "SpecialToken",
    "Style",
    "Wording",
    "apply_styles",
    "clip_tokenizer",
    "foreign_switches",
    "framed",
    "fullest_layout",
    "lay_out",
    "plain_text",
    "read_prompt",
    "recognise",
    "understand",
]
