"""What a model file is, by its first bytes and never by its name. Rule: X2 of security."""

from typing import Literal

FileKind = Literal["safetensors", "pickle", "gguf", "unknown"]

FIRST_BYTES = 9
HEADER_LIMIT_BYTES = 100 << 20

_ZIP = b"PK\x03\x04"  # torch.save writes its pickles into a zip
_PICKLE_PROTOCOLS = range(2, 6)


def kind_of_bytes(first: bytes) -> FileKind:
    """The kind of a file from its first `FIRST_BYTES` bytes.

    safetensors is tried first: a header of 640 bytes begins with the same two bytes (80 02) as a pickle, but no pickle has a plausible length and a brace
    after it.
    """
    if len(first) >= FIRST_BYTES and int.from_bytes(first[:8], "little") <= HEADER_LIMIT_BYTES and first[8:9] == b"{":
        return "safetensors"
    if first.startswith(_ZIP) or (first[:1] == b"\x80" and first[1:2] != b"" and first[1] in _PICKLE_PROTOCOLS):
        return "pickle"
    return "gguf" if first.startswith(b"GGUF") else "unknown"
