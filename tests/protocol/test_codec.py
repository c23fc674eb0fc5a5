"""Messages survive the wire, and nothing but messages passes."""

from __future__ import annotations

import struct

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.protocol import codec
from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import Artifact, Cancel, Command, Event, Failed, Feed, Finished, Hello, Progress, Resume, Submit

text = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1, max_size=5), inner, max_size=4),
    max_leaves=10,
)
params = st.dictionaries(st.text("abcdef_", min_size=1, max_size=10), plain, max_size=5)


@given(params, st.dictionaries(st.text("ab", min_size=1, max_size=3), st.binary(max_size=100), max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_submit_survives_the_wire(values: dict[str, object], blobs: dict[str, bytes]) -> None:
    sent = Submit(job="j-1", kind="generate", params=values, blobs=blobs, priority=3)
    assert codec.decode_command(codec.encode(sent)) == sent


@pytest.mark.parametrize(
    "message",
    [
        Cancel(job="a"),
        Feed(job="a", data=b"\x00\xff", last=True),
        Resume(job="a", after=2**40),
    ],
)
def test_commands_survive_the_wire(message: Command) -> None:
    assert codec.decode_command(codec.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Hello(catalog={"choices": {"models": [{"value": "Ü", "width": 64}]}}),
        Progress(job="a", seq=2, stage="denoise", done=3, total=20, rate=1.5, preview=(b"jpeg", b"")),
        Artifact(job="a", seq=3, name="image-0", media_type="image/png", data=bytes(range(256)), info={"seed": 2**63 - 1}),
        Finished(job="a", seq=4, result={"seconds": {"load": 0.1}}),
        Failed(job="a", seq=5, code="invalid", message="Steps must be between 1 and 150.", path="steps"),
    ],
)
def test_events_survive_the_wire(message: Event) -> None:
    assert codec.decode_event(codec.encode(message)) == message


@pytest.mark.rule("R95")
def test_unknown_fields_are_refused_in_commands_and_ignored_in_events() -> None:
    with pytest.raises(BadFrame, match="extra"):
        codec.decode_command(bson.encode({"type": "cancel", "job": "a", "extra": 1}))
    event = codec.decode_event(bson.encode({"type": "cancelled", "job": "a", "seq": 1, "newer": {"x": 1}}))
    assert event.job == "a"  # type: ignore[attr-defined]  # a Cancelled


@pytest.mark.rule("R123")
@pytest.mark.parametrize("document", [{}, {"type": "delete"}, {"type": "submit"}, {"type": "submit", "job": "../a", "kind": "x"}, {"type": 3}])
def test_what_is_no_command_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadFrame):
        codec.decode_command(bson.encode(document))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_bad_frame_and_nothing_else(data: bytes) -> None:
    with pytest.raises(BadFrame):
        codec.decode_command(data)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_document_is_read_or_refused_but_never_anything_else(data: st.DataObject) -> None:
    whole = bytearray(codec.encode(Submit(job="a", kind="generate", params={"prompt": "x" * 20, "list": [1, {"a": b"b"}]})))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    refused = False
    try:
        message = codec.decode_command(bytes(whole))
    except BadFrame:
        refused = True
    assert refused or isinstance(message, Command)


@pytest.mark.rule("X13")
def test_nesting_is_bounded_before_decoding() -> None:
    deep = bson.encode({})
    for _ in range(10_000):
        deep = struct.pack("<i", len(deep) + 8) + b"\x03a\x00" + deep + b"\x00"
    with pytest.raises(BadFrame, match="nests deeper"):
        codec.decode_command(deep)


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
@pytest.mark.rule("R87")
def test_frames_cut_at_any_byte_are_put_together_again(documents: list[bytes], size: int) -> None:
    stream = b"".join(codec.frame(document) for document in documents)
    reader = codec.FrameReader(1000)
    heard = [document for start in range(0, len(stream), size) for document in reader.feed(stream[start : start + size])]
    assert heard == documents


@pytest.mark.rule("X13")
def test_an_announced_length_over_the_limit_is_refused_before_any_memory_is_taken() -> None:
    with pytest.raises(BadFrame, match="announced"):
        list(codec.FrameReader(1000).feed(struct.pack("<I", 0xFFFFFFFF)))


@pytest.mark.rule("N6")
def test_a_document_of_too_many_values_is_refused_before_anything_is_built() -> None:
    def submit(count: int) -> bytes:
        return codec.encode(Submit(job="a", kind="generate", params={"list": [0] * count}))

    within = codec.COMMAND_VALUES - 20
    assert isinstance(codec.decode_command(submit(within)), Submit)
    with pytest.raises(BadFrame, match="values"):
        codec.decode_command(submit(codec.COMMAND_VALUES))
    # A catalog may be longer than a command, and is bounded all the same.
    assert isinstance(codec.decode_event(codec.encode(Hello(catalog={"list": [0] * codec.COMMAND_VALUES}))), Hello)
    with pytest.raises(BadFrame, match="values"):
        codec.decode_event(codec.encode(Hello(catalog={"list": [0] * codec.EVENT_VALUES})))
