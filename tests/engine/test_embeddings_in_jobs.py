"""Words from files in whole jobs: they change pictures, are named in the result, and stand in the metadata."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from sfumato.engine.hashing import IdleHashing
from sfumato.engine.tasks.convert import run as convert
from sfumato.protocol.errors import Stopped
from sfumato.protocol.requests.convert import Convert
from tests.support.embedding_files import pickle_automatic, table, write_kohya, write_two
from tests.support.hypernetwork_files import hypernetwork_modules, write_hypernetwork, write_pickled_hypernetwork
from tests.support.studio import SmallFiles, Studio


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio with an embeddings folder."""
    studio = Studio(SmallFiles(tmp_path_factory.mktemp("models")), tmp_path_factory.mktemp("data"))
    words = folder(studio)
    write_kohya(table(2, scale=3), words / "fog-style.safetensors")
    write_kohya(table(2, 48), words / "foreign.safetensors")
    write_two(table(1, seed=1, scale=3), table(1, seed=2, scale=3), words / "large.safetensors")
    pickle_automatic(table(3, seed=4, scale=3), words / "old.pt")
    return studio


def folder(studio: Studio) -> Path:
    return studio.files.root / "embeddings"


def sentences(studio: Studio) -> list[str]:
    return [warning.message for warning in studio.result.warnings]


def test_a_word_changes_the_picture_and_only_while_it_is_said(own: Studio) -> None:
    plain = own.one(prompt="a hill")
    changed = own.one(prompt="a hill fog-style")
    assert (changed != plain).any()
    assert sentences(own) == []
    assert (own.one(prompt="a hill", negative="fog-style") != plain).any()
    assert np.array_equal(own.one(prompt="a hill"), plain)


def test_sdxl_reads_it_in_either_prompt(own: Studio) -> None:
    xl = own.model("sdxl")
    pictures = [own.one(model=xl, prompt=prompt, prompt_2=second) for prompt, second in (("a", "a b"), ("large", "a b"), ("a", "large"), ("a", "a"))]
    assert len({picture.tobytes() for picture in pictures}) == 4


@pytest.mark.rule("P46", "R27")
def test_R27_a_word_of_another_base_is_named_in_the_result(own: Studio) -> None:
    own.one(prompt="a foreign hill", negative="large")
    assert sentences(own) == [
        "'foreign' is made for another base model (its vectors have 48 numbers). The name stays text.",
        "'large' is made for another base model (its vectors have 32 and 32 numbers). The name stays text.",
    ]
    own.one(prompt="a hill")
    assert sentences(own) == []


@pytest.mark.rule("R99", "E11")
def test_R99_a_pickled_one_is_named_and_the_converter_makes_it_a_word(own: Studio) -> None:
    text = own.one(prompt="a hill, old")
    (sentence,) = sentences(own)
    assert sentence == (
        "'old.pt' is a pickle, which can run code when opened, so it was not. Convert it to safetensors first: sfumato convert \"old.pt\". The name stays text."
    )
    convert(Convert(file="old.pt"), own.context())
    assert (own.one(prompt="a hill, old") != text).any()
    assert sentences(own) == []


@pytest.mark.rule("E90", "R18")
def test_R18_a_hypernetwork_named_in_the_prompt_changes_the_picture_and_leaves_nothing(own: Studio) -> None:
    write_pickled_hypernetwork(hypernetwork_modules((32,)), own.files.root / "hypernetworks" / "ink.pt")
    plain = own.one(prompt="a hill")
    assert np.array_equal(own.one(prompt="a hill <hypernet:ink:1>"), plain)
    assert "sfumato convert" in sentences(own)[0]
    convert(Convert(file="ink.pt"), own.context())
    whole, half = own.one(prompt="a hill <hypernet:ink:1>"), own.one(prompt="a hill <hypernet:ink:0.5>")
    assert sentences(own) == []
    assert len({picture.tobytes() for picture in (plain, whole, half)}) == 3
    assert np.array_equal(own.one(prompt="a hill"), plain)


@pytest.mark.rule("E105")
def test_after_a_cancelled_job_nothing_is_left_of_what_its_prompt_named(own: Studio) -> None:
    write_hypernetwork(hypernetwork_modules((32,), seed=3), own.files.root / "hypernetworks" / "wash.safetensors")
    plain = own.one(prompt="a hill")
    with pytest.raises(Stopped):
        own.paint(prompt="a fog-style hill <hypernet:wash:1>", cancel_at=("denoise", 2))
    assert np.array_equal(own.one(prompt="a hill"), plain)


@pytest.mark.rule("M23")
def test_hashes_of_words_are_written_as_other_programs_do(own: Studio) -> None:
    path = folder(own) / "fog-style.safetensors"
    save_file({"emb_params": table(1, seed=7)}, folder(own) / "moss.safetensors")
    # Files are hashed between jobs: the first picture does without.
    own.one(prompt="(fog-style:1.1) hill", negative="moss, foreign")
    assert "moss:" not in own.result.images[0].infotext
    assert own.context().shared(IdleHashing).join(30)
    own.one(prompt="(fog-style:1.1) hill", negative="moss, foreign")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    other = hashlib.sha256((folder(own) / "moss.safetensors").read_bytes()).hexdigest()
    infotext = own.result.images[0].infotext
    assert f'TI hashes: "fog-style: {digest[:12]}, moss: {other[:12]}"' in infotext
    # A word is a part of the prompt.
    own.one(prompt="fog-style hill", metadata="prompt_free")
    assert "fog-style" not in own.result.images[0].infotext
    (artifact,) = own.recording.artifacts
    assert b"fog-style" not in artifact[2]
