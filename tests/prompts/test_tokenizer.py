"""CLIP's tokenizer by itself; `test_tokenizer_reference` compares it with another implementation."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.prompts import tokenizer as module
from sfumato.prompts.tokenizer import END, START, ClipTokenizer, clip_tokenizer

DATA = Path(module.__file__).with_name("data")
VOCABULARY = DATA / "bpe_simple_vocab_16e6.txt.gz"


def test_entities_are_resolved_twice_as_in_training() -> None:
    encode = clip_tokenizer().encode
    assert encode("salt &amp; pepper") == encode("salt & pepper") == encode("salt &amp;amp; pepper")


def test_special_tokens_typed_as_text_are_the_special_tokens() -> None:
    assert clip_tokenizer().encode("<|startoftext|>cat<|endoftext|>") == [START, *clip_tokenizer().encode("cat"), END]


def test_known_numbers() -> None:
    assert clip_tokenizer().encode("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert len(clip_tokenizer()) == 49408


@pytest.mark.rule("P60")
def test_a_newline_is_a_blank_and_never_fuses_words() -> None:
    encode = clip_tokenizer().encode
    assert encode("red cat\r\nblue dog") == encode("red cat\nblue dog") == encode("red cat blue dog") != encode("red catblue dog")


@pytest.mark.rule("P2")
def test_a_lone_surrogate_reads_as_a_question_mark() -> None:
    assert clip_tokenizer().encode("a \ud800 b") == clip_tokenizer().encode("a ? b")


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_decoding_gives_the_letters_back(text: str) -> None:
    tokens = clip_tokenizer().encode(text)
    assert clip_tokenizer().encode(clip_tokenizer().decode(tokens)) == tokens or "&" in text or "<" in text or _is_recut(text)


def _is_recut(text: str) -> bool:
    """Blanks between words can change how apostrophes are cut, and folding is not always stable."""
    return "'" in text or not text.isascii()


@pytest.mark.rule("P4")
def test_one_endless_word_takes_linear_merges() -> None:
    """Counted, not timed: looking up pairs is the work of the encoder, about two lookups for each joined pair."""

    class Counted(dict[tuple[str, str], int]):
        lookups = 0

        def __contains__(self, key: object) -> bool:
            Counted.lookups += 1
            return super().__contains__(key)

    tokenizer = ClipTokenizer()
    tokenizer._ranks = Counted(tokenizer._ranks)  # pyright: ignore[reportPrivateUsage] - the count is the subject
    assert len(tokenizer.encode("abacus" * 5000)) > 1000
    assert Counted.lookups < 4 * 30_000


def test_the_vocabulary_is_the_published_file_and_its_notice_lies_beside_it() -> None:
    assert hashlib.sha256(VOCABULARY.read_bytes()).hexdigest() == "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
    assert "Copyright (c) 2021 OpenAI" in (DATA / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.rule("P5")
def test_the_room_needs_the_standard_library_only() -> None:
    source = Path(module.__file__).parents[2]
    code = "import sys, sfumato.prompts as p; p.understand('a (cat:1.2)')\n"
    code += "print(*sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(source)}, check=True)
    assert done.stdout.split() == ["__main__", "sfumato"]
