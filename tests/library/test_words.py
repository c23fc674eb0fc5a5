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
    save_file({"x": np.zeros((4, 2, 2), np.float32)}, models / "embeddings" / "odd.safetensors")
    return models


def words(models: Path, *widths: int) -> Words:
    return WordFiles().library(models.parent, [models], widths)


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
def test_what_is_not_there_or_cannot_be_used_is_left_out_and_named(models: Path) -> None:
    library = WordFiles().library(models.parent, [models])
    prompt = read_prompt("<lora:ann> <lora:nobody> odd __none__", library=library, styles=("Nothing",))
    assert [network.name for network in prompt.networks_at(0, TEN)] == ["ann"]
    assert prompt.losses == (
        "There is no style called 'Nothing': it is left out.",
        "There is no wildcard file 'none': its name stays in the text.",
        "There is no lora file called 'nobody': it is left out.",
        "'odd' is no embedding: it has no table of vectors. The name stays text.",
    )
    assert read_prompt("(a:9) [b:c:99]", library=library).losses == ()


def test_a_converted_file_stands_for_its_pickle(models: Path) -> None:
    for folder in ("embeddings", "hypernetworks"):
        (models / folder / "moon.pt").write_bytes(b"\x80\x02}.")
    library = words(models)
    assert [embedding.unfit for embedding in library.embeddings() if embedding.name == "moon"] == [
        "'moon.pt' is a pickle, which can run code when opened, so it was not. Convert it to safetensors first: sfumato convert \"moon.pt\"."
    ]
    assert "sfumato convert" in read_prompt("a moon", library=library).losses[0]
    assert "sfumato convert" in read_prompt("<hypernet:moon>", library=library).losses[0]
    save_file({"emb_params": np.zeros((3, 768), np.float32)}, models / "embeddings" / "moon.safetensors")
    save_file({"768.0.linear.0.weight": np.zeros((2, 2), np.float32)}, models / "hypernetworks" / "moon.safetensors")
    assert read_prompt("a moon <hypernet:moon>", library=words(models)).losses == ()


@pytest.mark.rule("P45")
def test_words_are_named_by_the_file_and_by_what_is_inside(models: Path) -> None:
    folder = models / "embeddings"
    save_file({"<cat-toy>": np.zeros((768,), np.float32)}, folder / "learned.safetensors")
    save_file({"<s0>": np.zeros((768,), np.float32), "<s1>": np.zeros((2, 768), np.float32)}, folder / "pair.safetensors")
    save_file({"string_to_param.*": np.zeros((2, 768), np.float32)}, folder / "v2.safetensors", {"sfumato.values": '{"name": "mossy-look", "step": 5}'})
    save_file({"emb_params": np.zeros((1, 768), np.float32)}, folder / "mossy-look.safetensors")
    found = {embedding.name: embedding.vectors for embedding in reversed(words(models, 768).embeddings()) if not embedding.unfit}
    assert found == {"fog-style": 3, "learned": 1, "<cat-toy>": 1, "pair": 3, "<s0>": 1, "<s1>": 2, "v2": 2, "mossy-look": 1}
    library = words(models, 768)
    assert [placed.embedding.name for placed in _placed(library, "a <cat-toy> and (<S0><s1>:1.2), learned")] == ["<cat-toy>", "<s0>", "<s1>", "learned"]


@pytest.mark.rule("P47")
def test_networks_bring_words_along(models: Path) -> None:
    bundle = {"bundle_emb.glow.string_to_param.*": np.zeros((2, 768), np.float32), "bundle_emb.dusk.clip_l": np.zeros((1, 768), np.float32)}
    save_file({**bundle, "bundle_emb.dusk.clip_g": np.zeros((1, 1280), np.float32), "x": np.zeros((2, 2), np.float32)}, models / "Lora" / "lit.safetensors")
    library = words(models)
    assert [placed.embedding.name for placed in _placed(library, "glow dusk <lora:lit:1>")] == ["glow", "dusk"]
    assert _placed(library, "glow dusk") == []
    (record,) = [record for record in library.networks("lora").records if record.embeddings]
    assert {embedding.name: embedding.widths for embedding in record.embeddings} == {"glow": (("", 768),), "dusk": (("clip_l", 768), ("clip_g", 1280))}


@pytest.mark.parametrize(
    "tensors",
    [
        {"emb_params": (0, 768)},
        {"emb_params": (3, 0)},
        {"clip_l": (2, 768), "clip_g": (3, 1280)},
        {"a": (2, 768), "b": (2, 1024)},
        {f"w{number}": (2, 8) for number in range(100)},
        {"bundle_emb.x.emb_params": (2, 768)},
        {"emb_params": ()},
    ],
)
def test_what_is_no_embedding_says_so(models: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    save_file({key: np.zeros(shape, np.float32) for key, shape in tensors.items()}, models / "embeddings" / "strange.safetensors")
    assert read_prompt("a strange thing", library=words(models)).losses == ("'strange' is no embedding: it has no table of vectors. The name stays text.",)
