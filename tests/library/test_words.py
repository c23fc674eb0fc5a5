"""The words on disk, as prompts name them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sfumato.library.words import WordFiles, Words
from sfumato.prompts import PassSpan, Placed, clip_tokenizer, lay_out, read_prompt

TEN = PassSpan(10)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    for folder in ("loras/people", "Lora", "hypernetworks", "embeddings"):
        (models / folder).mkdir(parents=True)
    some = {"x": np.zeros((2, 2), np.float32)}
    save_file(some, models / "loras" / "people" / "ann.safetensors", {"ss_output_name": "ann-v2"})
    save_file(some, models / "Lora" / "Moss.safetensors")
    save_file(some, models / "hypernetworks" / "ink.safetensors")
    save_file({"emb_params": np.zeros((3, 768), np.float32)}, models / "embeddings" / "fog-style.safetensors")
    save_file({"clip_l": np.zeros((2, 768), np.float32), "clip_g": np.zeros((2, 1280), np.float32)}, models / "embeddings" / "large.safetensors")
    save_file({"x": np.zeros((4,), np.float32)}, models / "embeddings" / "odd.safetensors")
    return models


def words(models: Path, *widths: int) -> Words:
    return WordFiles().library(models.parent, [models], widths, unfit="")


@pytest.mark.rule("P38")
@pytest.mark.parametrize(("name", "path"), [("ann", "people/ann"), ("people/ann", "people/ann"), ("ann-v2", "people/ann"), ("moss", "Moss"), ("nobody", None)])
def test_networks_are_found_by_their_names(models: Path, name: str, path: str | None) -> None:
    found = words(models).networks("lora").find(name)
    assert (found and found.record.path) == path


def test_networks_of_each_kind_are_apart(models: Path) -> None:
    library = words(models)
    assert library.networks("hypernet").names() == ["ink"]
    prompt = read_prompt("<lora:ann:0.5> <hypernet:ink>", library=library)
    assert [(network.name, network.te, network.unet) for network in prompt.networks_at(0, TEN)] == [("ann", 0.5, 0.5), ("ink", 0.0, 1.0)]
    assert prompt.networks_at(0, TEN)[0].key == str(models / "loras" / "people" / "ann.safetensors")


@pytest.mark.rule("P46", "R27")
def test_R27_embeddings_of_another_width_are_named_and_stay_text(models: Path) -> None:
    library = words(models, 768)
    assert {embedding.name: (embedding.vectors, bool(embedding.unfit)) for embedding in library.embeddings()} == {
        "fog-style": (3, False),
        "large": (2, True),
        "odd": (0, True),
    }
    prompt = read_prompt("large fog-style", library=library)
    assert [span.message for span in prompt.spans if span.message] == [
        "'large' is made for another base model (its vectors have 768 and 1280 numbers). The name stays text."
    ]
    assert [placed.embedding.name for placed in _placed(library, "large fog-style")] == ["fog-style"]
    assert [placed.embedding.name for placed in _placed(words(models, 768, 1280), "large fog-style")] == ["large"]


def _placed(library: Words, text: str) -> list[Placed]:
    prompt = read_prompt(text, library=library)
    layout = lay_out(prompt.parts[0].at(0, TEN).pieces, clip_tokenizer(), embeddings=prompt.embeddings(clip_tokenizer()))
    return [placed for chunk in layout.chunks for placed in chunk.embeddings]


@pytest.mark.rule("P57")
def test_styles_come_from_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles.csv").write_text("name,prompt,negative_prompt\nOil,oil painting,photo\n", encoding="utf-8")
    (tmp_path / "styles" / "more.csv").write_text("name,prompt,negative_prompt\nInk,ink,\n", encoding="utf-8")
    library = WordFiles().library(tmp_path, [])
    assert read_prompt("cat", library=library, styles=("Oil", "Ink")).text == "cat, oil painting, ink"
    assert read_prompt("", library=library, styles=("Oil", "Ink"), negative=True).text == "photo"


@pytest.mark.rule("P39")
def test_the_user_has_block_weights_of_their_own(models: Path) -> None:
    (models.parent / "block_weights.txt").write_text("# mine\nHALF:" + ",".join(["0.5"] * 17) + "\n", encoding="utf-8")
    (network,) = read_prompt("<lora:ann:1:lbw=HALF>", library=words(models)).networks_at(0, TEN)
    assert network.blocks is not None
    assert network.blocks.base == 0.5


@pytest.mark.rule("P38")
def test_what_the_engine_cannot_use_is_left_out_and_named(models: Path) -> None:
    library = WordFiles().library(models.parent, [models])
    prompt = read_prompt("<lora:ann> <lora:nobody> fog-style __none__", library=library, styles=("Nothing",))
    assert prompt.networks_at(0, TEN) == ()
    assert prompt.losses == (
        "There is no style called 'Nothing': it is left out.",
        "There is no wildcard file 'none': its name stays in the text.",
        "'ann' is not applied: this version reads neither networks nor embeddings. It is left out.",
        "There is no lora file called 'nobody': it is left out.",
        "'fog-style' is not applied: this version reads neither networks nor embeddings. The name stays text.",
    )
    assert read_prompt("(a:9) [b:c:99]", library=library).losses == ()
