"""Embeddings in the towers' input, against towers whose vocabulary was really enlarged."""

from __future__ import annotations

import base64
import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load_file, save_file
from torch import Tensor

from sfumato.engine import conditioning as module
from sfumato.engine.conditioning import Conditioner, Conditioning, EncodingCache, TextSettings
from sfumato.engine.embeddings import KeptEmbeddings, open_embeddings
from sfumato.engine.family import Model
from sfumato.engine.script import ImageTexts, write_script
from sfumato.library.pickles.conversion import convert
from sfumato.library.words import WordFiles, Words
from sfumato.prompts import PassSpan, Wording, framed, read_prompt
from sfumato.protocol.errors import CorruptFile, PickleRefused
from tests.engine.conftest import TinyModel
from tests.support.embedding_files import PICKLED, SAFE, pickle_automatic, pickle_original, table, write_kohya, write_picture, write_two
from tests.support.tiny_models import VOCABULARY, TinyModules

ONE = PassSpan(1)


@pytest.fixture(autouse=True)
def _inference() -> Any:
    with torch.inference_mode():
        yield


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """The embeddings folder."""
    folder = tmp_path / "models" / "embeddings"
    folder.mkdir(parents=True)
    return folder


def library(words: Path) -> Words:
    return WordFiles().library(words.parent.parent, [words.parent])


def conditioner(model: Model, words: Path, cache: EncodingCache | None = None, files: KeptEmbeddings | None = None, **settings: Any) -> Conditioner:
    embeddings = library(words).embeddings()
    return Conditioner(model, TextSettings(**settings), EncodingCache() if cache is None else cache, embeddings=embeddings, files=files or KeptEmbeddings())


def wording(text: str) -> Wording:
    return read_prompt(text).parts[0].at(0, ONE)


def encoded(model: Model, words: Path, text: str, **settings: Any) -> Conditioning:
    return conditioner(model, words, **settings).encode(wording(text))


class Enlarged:
    """Towers with more tokens: each (role -> vectors) becomes as many new ones, and texts are written with their ids."""

    def __init__(self, modules: TinyModules, new: Mapping[str, Mapping[str, Tensor]]) -> None:
        self.towers = {}
        self.ids: dict[str, list[int]] = {}
        counts = {word: len(next(iter(roles.values()))) for word, roles in new.items()}
        first = VOCABULARY
        for word, count in counts.items():
            self.ids[word] = list(range(first, first + count))
            first += count
        for part, tower in modules.towers.items():
            own = copy.deepcopy(tower)
            own.resize_token_embeddings(first, mean_resizing=False)
            for word, roles in new.items():
                own.get_input_embeddings().weight.data[self.ids[word]] = roles.get(part, roles.get(""))  # type: ignore[arg-type]
            self.towers[part] = own

    def state(self, part: str, tokens: Sequence[int], layer: int, normed: bool) -> Tensor:
        tower = self.towers[part]
        state = tower(torch.tensor([tokens]), output_hidden_states=True).hidden_states[-layer]
        return tower.final_layer_norm(state) if normed else state


def tokens_of(model: Model, words: Path, text: str, ids: Sequence[int], starts: Sequence[int], padding: int) -> list[int]:
    """The tokens of a text of one chunk, with `ids` from each of the places `starts` on."""
    chunk = conditioner(model, words).chunks_of(wording(text))[0]
    tokens = framed(chunk, padding)[0]
    for start in starts:
        tokens[start : start + len(ids)] = ids
    return tokens


@pytest.mark.rule("E30", "P34", "P45")
@pytest.mark.parametrize("kind", ["sd1", "sd2"])
@pytest.mark.parametrize("layout", SAFE)
@pytest.mark.parametrize("vectors", [1, 3])
def test_a_word_is_what_new_tokens_of_the_tower_would_be(tiny_model: TinyModel, words: Path, kind: str, layout: str, vectors: int) -> None:
    model, modules = tiny_model(kind)
    SAFE[layout](table(vectors), words / "fog-style.safetensors")
    text = "a fog-style hill"
    enlarged = Enlarged(modules, {"fog-style": {"": table(vectors)}})
    (encoder,) = model.encoders
    tokens = tokens_of(model, words, text, enlarged.ids["fog-style"], [2], encoder.padding)
    made = encoded(model, words, text).context
    torch.testing.assert_close(made, enlarged.state(encoder.part, tokens, model.text.layer, model.text.final_norm), atol=1e-5, rtol=0)
    plain = encoded(model, words, "a hill").context
    assert (made - plain).abs().max() > 0.1


@pytest.mark.rule("E30", "P46")
@pytest.mark.parametrize("kind", ["sdxl", "refiner"])
def test_both_encoders_of_sdxl_and_its_refiners_read_their_own_vectors(tiny_model: TinyModel, words: Path, kind: str) -> None:
    model, modules = tiny_model(kind)
    own = {"clip_l": table(2, seed=1), "clip_g": table(2, seed=2)}
    write_two(own["clip_l"], own["clip_g"], words / "fog.safetensors")
    enlarged = Enlarged(modules, {"fog": own})
    made = conditioner(model, words).encode(wording("fog hill"))
    rule = model.text
    tokens = [tokens_of(model, words, "fog hill", enlarged.ids["fog"], [1], encoder.padding) for encoder in model.encoders]
    states = [enlarged.state(encoder.part, own, rule.layer, rule.final_norm) for encoder, own in zip(model.encoders, tokens, strict=True)]
    torch.testing.assert_close(made.context, torch.cat(states, dim=-1), atol=1e-5, rtol=0)
    # The pooled vector sees them, too.
    last = enlarged.towers["clip_g"](torch.tensor([tokens[-1]])).last_hidden_state[0, tokens[-1].index(49407)]
    assert made.pooled is not None
    torch.testing.assert_close(made.pooled[0], modules.projections["clip_g"] @ last, atol=1e-5, rtol=0)


@pytest.mark.rule("E30", "P45")
@pytest.mark.parametrize("emphasis", ["original", "no_norm", "ignore"])
def test_several_with_weights_in_one_text(tiny_model: TinyModel, words: Path, emphasis: str) -> None:
    model, modules = tiny_model("sd1")
    new = {"fog": {"": table(2, seed=1)}, "moss": {"": table(3, seed=2)}}
    for word, roles in new.items():
        write_kohya(roles[""], words / f"{word}.safetensors")
    enlarged = Enlarged(modules, new)
    (encoder,) = model.encoders
    text = "a (fog:1.3), moss Fog"
    made = encoded(model, words, text, emphasis=emphasis).context
    tokens = [49406, 320, *enlarged.ids["fog"], 267, *enlarged.ids["moss"], *enlarged.ids["fog"], *[49407] * 67]
    weights = torch.tensor([1.0, 1, 1.3, 1.3, *[1.0] * 73]) if emphasis != "ignore" else torch.ones(77)
    z = enlarged.state("clip_l", tokens, 1, True)
    expected = z * weights[None, :, None]
    if emphasis == "original":
        expected = expected * (z.mean() / expected.mean())
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    assert encoder.tower.get_input_embeddings().weight.shape[0] == VOCABULARY


@pytest.mark.rule("P34")
def test_a_word_never_straddles_chunks_and_is_cut_only_if_no_chunk_holds_it(tiny_model: TinyModel, words: Path) -> None:
    model, modules = tiny_model("sd1")
    new = {"fog": {"": table(10)}, "sea": {"": table(75, seed=2)}}
    for word in new:
        write_kohya(new[word][""], words / f"{word}.safetensors")
    write_kohya(torch.cat([new["sea"][""], table(5, seed=3)]), words / "ocean.safetensors")
    enlarged = Enlarged(modules, new)
    made = encoded(model, words, "a " * 70 + "fog").context
    assert made.shape[1] == 2 * 77
    second = enlarged.state("clip_l", [49406, *enlarged.ids["fog"], *[49407] * 66], 1, True)
    torch.testing.assert_close(made[:, 77:], second, atol=1e-5, rtol=0)
    full = enlarged.state("clip_l", [49406, *enlarged.ids["sea"], 49407], 1, True)
    torch.testing.assert_close(encoded(model, words, "sea").context, full, atol=1e-5, rtol=0)
    maker = conditioner(model, words)
    torch.testing.assert_close(maker.encode(wording("ocean")).context, full, atol=1e-5, rtol=0)
    assert [warning.message for warning in maker.warnings] == ["'ocean' has 80 vectors; the first 75 were used, as many as a chunk has places."]


@pytest.mark.rule("E30", "P45")
def test_words_act_in_the_negative_and_in_the_second_prompt_and_follow_schedules(tiny_model: TinyModel, words: Path) -> None:
    model, _ = tiny_model("sdxl")
    write_two(table(1, seed=1), table(1, seed=2), words / "fog.safetensors")
    known = library(words)
    maker = conditioner(model, words)
    positive, second = read_prompt("hill [fog:5]", library=known), read_prompt("fog sea", library=known)
    script = write_script(maker, [ImageTexts(positive, read_prompt("fog", library=known, negative=True), second)], PassSpan(10))
    for call, text in ((0, "hill "), (9, "hill fog")):
        (voice,) = script.at(call).images[0].positive
        torch.testing.assert_close(voice.conditioning.context, maker.encode(wording(text), wording("fog sea")).context)
        first = encoded(model, words, text).context[..., :32]
        torch.testing.assert_close(voice.conditioning.context[..., :32], first)
        torch.testing.assert_close(voice.conditioning.context[..., 32:], encoded(model, words, "fog sea").context[..., 32:])
    (voice,) = script.at(0).images[0].negative
    torch.testing.assert_close(voice.conditioning.context, encoded(model, words, "fog").context)


@pytest.mark.rule("E105", "E30")
def test_the_towers_never_change(tiny_model: TinyModel, words: Path) -> None:
    model, _ = tiny_model("sdxl")
    write_two(table(4), table(4), words / "fog.safetensors")
    before = [{name: weight.clone() for name, weight in encoder.tower.state_dict().items()} for encoder in model.encoders]
    plain = encoded(model, words, "a hill").context
    encoded(model, words, "a fog hill")
    assert torch.equal(encoded(model, words, "a hill").context, plain)
    for encoder, weights in zip(model.encoders, before, strict=True):
        assert all(torch.equal(weight, weights[name]) for name, weight in encoder.tower.state_dict().items())


def test_without_a_word_texts_are_encoded_to_the_same_bits_as_ever(tiny_model: TinyModel, words: Path) -> None:
    model, _ = tiny_model("sd1")
    write_kohya(table(), words / "fog.safetensors")
    bare = Conditioner(model, TextSettings(), EncodingCache()).encode(wording("a (hill:1.2)")).context
    assert torch.equal(encoded(model, words, "a (hill:1.2)").context, bare)


# -- other bases, and files that are none -------------------------------------------------------------


@pytest.mark.rule("P46", "R27")
@pytest.mark.parametrize(
    ("kind", "widths"),
    [("sd1", {"": 48}), ("sd1", {"clip_l": 32, "clip_g": 48}), ("sd1", {"clip_l": 32, "clip_g": 32}), ("sdxl", {"": 32}), ("sdxl", {"clip_l": 32})],
)
def test_R27_one_for_another_base_is_named_and_its_name_stays_text(tiny_model: TinyModel, words: Path, kind: str, widths: dict[str, int]) -> None:
    model, _ = tiny_model(kind)
    save_file({role or "emb_params": table(3, width) for role, width in widths.items()}, words / "fog.safetensors")
    maker = conditioner(model, words)
    made = maker.encode(wording("a fog hill"))
    assert torch.equal(made.context, Conditioner(model, TextSettings(), EncodingCache()).encode(wording("a fog hill")).context)
    told = " and ".join(map(str, widths.values()))
    (warning,) = maker.warnings
    assert warning.message == f"'fog' is made for another base model (its vectors have {told} numbers). The name stays text."
    quiet = conditioner(model, words)
    quiet.encode(wording("a hill"))
    assert quiet.warnings == ()


def test_of_two_files_of_one_name_the_fitting_one_is_meant(tiny_model: TinyModel, words: Path) -> None:
    model, modules = tiny_model("sd1")
    for folder, width in (("large", 48), ("small", 32)):
        write_kohya(table(1, width), words / folder / "fog.safetensors")
    maker = conditioner(model, words)
    enlarged = Enlarged(modules, {"fog": {"": table(1)}})
    expected = enlarged.state("clip_l", [49406, *enlarged.ids["fog"], *[49407] * 75], 1, True)
    torch.testing.assert_close(maker.encode(wording("fog")).context, expected, atol=1e-5, rtol=0)
    assert maker.warnings == ()


@pytest.mark.rule("R99", "E11")
@pytest.mark.parametrize("kind", PICKLED)
def test_R99_pickled_ones_are_named_and_work_once_they_are_converted(tiny_model: TinyModel, words: Path, kind: str) -> None:
    model, modules = tiny_model("sd1")
    source = PICKLED[kind](table(2), words / "fog.pt")
    (known,) = library(words).embeddings()
    assert known.unfit == "'fog.pt' is a pickle, which can run code when opened, so it was not. Convert it to safetensors first: sfumato convert \"fog.pt\"."
    assert read_prompt("a fog", library=library(words)).losses == (f"{known.unfit} The name stays text.",)
    assert torch.equal(encoded(model, words, "fog").context, Conditioner(model, TextSettings(), EncodingCache()).encode(wording("fog")).context)
    with pytest.raises(PickleRefused):
        open_embeddings(source)
    convert(source)
    assert read_prompt("a fog", library=library(words)).losses == ()
    enlarged = Enlarged(modules, {"fog": {"": table(2)}})
    expected = enlarged.state("clip_l", [49406, *enlarged.ids["fog"], *[49407] * 74], 1, True)
    torch.testing.assert_close(encoded(model, words, "fog").context, expected, atol=1e-5, rtol=0)


def test_the_name_inside_a_converted_file_is_a_word_too(tiny_model: TinyModel, words: Path) -> None:
    model, _ = tiny_model("sd1")
    convert(pickle_automatic(table(2), words / "v12.pt", name="mossy-look"))
    assert torch.equal(encoded(model, words, "a mossy-look").context, encoded(model, words, "a v12").context)


@pytest.mark.parametrize("damage", ["nan", "cut", "gone", "changed"])
def test_what_cannot_be_read_is_said_and_its_name_stays_text(tiny_model: TinyModel, words: Path, damage: str) -> None:
    model, _ = tiny_model("sd1")
    path = write_kohya(table(2), words / "fog.safetensors")
    write_kohya(table(1), words / "moss.safetensors")
    if damage == "nan":
        write_kohya(table(2) * float("nan"), path)
    maker = conditioner(model, words)
    expected = conditioner(model, words)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "gone":
        path.unlink()
    elif damage == "changed":
        write_kohya(table(3), path)
    reason = {
        "nan": "'fog.safetensors' is damaged: the vectors 'emb_params' hold what is no number. Download it again.",
        "cut": "'fog.safetensors' is damaged: ",
        "gone": "'fog.safetensors' is damaged: it cannot be read (No such file or directory). Download it again.",
        "changed": "'fog.safetensors' changed while its words were looked up.",
    }[damage]
    made = maker.encode(wording("a fog moss"))
    (warning,) = maker.warnings
    assert warning.message.startswith(reason)
    assert warning.message.endswith(" 'fog' stays text.")
    (words / "other").mkdir()
    (words / "fog.safetensors").unlink(missing_ok=True)
    expected = conditioner(model, words)
    assert torch.equal(made.context, expected.encode(wording("a fog moss")).context)


def test_hostile_files_are_no_words(tmp_path: Path) -> None:
    for number, tensors in enumerate(({}, {"emb_params": torch.zeros(2, 2, 2)}, {"emb_params": torch.zeros(2, 8, dtype=torch.int64)})):
        path = tmp_path / f"{number}.safetensors"
        save_file(tensors, path)
        assert open_embeddings(path).vectors == {}
    half = write_kohya(table(2).half(), tmp_path / "half.safetensors")
    assert open_embeddings(half).vectors["half"][""].dtype == torch.float32
    for length in (0, 7, 30, 70):
        (tmp_path / "cut.safetensors").write_bytes(half.read_bytes()[:length])
        with pytest.raises(CorruptFile):
            open_embeddings(tmp_path / "cut.safetensors")


@pytest.mark.rule("E9")
def test_a_picture_may_carry_a_word(tiny_model: TinyModel, words: Path) -> None:
    model, _ = tiny_model("sd1")
    write_picture(table(2), words / "fog.png", name="mossy-look")
    write_kohya(table(2), words / "other" / "same.safetensors")
    Image.new("RGB", (8, 8)).save(words / "preview.png")
    assert {embedding.name for embedding in library(words).embeddings()} == {"fog", "mossy-look", "same"}
    expected = encoded(model, words, "a same").context
    torch.testing.assert_close(encoded(model, words, "a fog").context, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(encoded(model, words, "a mossy-look").context, expected, atol=1e-6, rtol=0)


@pytest.mark.rule("E9", "X13")
@pytest.mark.parametrize("content", ["[]", "{}", '{"string_to_param": {"*": {"TORCHTENSOR": [[1, NaN]]}}}', "[" * 100_000, "\u00e4"])
def test_pictures_with_something_else_in_them_are_no_words(words: Path, content: str) -> None:
    texts = PngInfo()
    texts.add_text("sd-ti-embedding", base64.b64encode(content.encode()).decode() if content.isascii() else "=?=")
    Image.new("RGB", (8, 8)).save(words / "fog.png", pnginfo=texts)
    assert library(words).embeddings() == ()
    with pytest.raises(CorruptFile, match="the embedding that it carries"):
        open_embeddings(words / "fog.png")
    data = write_picture(table(2), words / "cut.png").read_bytes()
    for length in (0, 9, 40, 200, len(data) - 60):
        (words / "cut.png").write_bytes(data[:length])
        library(words).embeddings()


# -- networks that bring words along ------------------------------------------------------------------


@pytest.mark.rule("P47")
def test_words_of_a_network_are_known_on_all_sides_while_its_tag_is_there(tiny_model: TinyModel, words: Path) -> None:
    model, modules = tiny_model("sd1")
    loras = words.parent / "loras"
    loras.mkdir()
    save_file({"bundle_emb.fog.string_to_param.*": table(2), "lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, loras / "lit.safetensors")
    known = library(words)
    maker = Conditioner(model, TextSettings(), EncodingCache(), embeddings=known.embeddings(), files=KeptEmbeddings())
    enlarged = Enlarged(modules, {"fog": {"": table(2)}})
    expected = enlarged.state("clip_l", [49406, *enlarged.ids["fog"], *[49407] * 74], 1, True)

    def told(prompt: str, negative: str) -> tuple[Tensor, Tensor]:
        texts = ImageTexts(read_prompt(prompt, library=known), read_prompt(negative, library=known, negative=True))
        image = write_script(maker, [texts], PassSpan(3)).at(0).images[0]
        return image.positive[0].conditioning.context, image.negative[0].conditioning.context

    plain = maker.encode(wording("fog")).context
    positive, negative = told("fog<lora:lit:0.5>", "fog")
    torch.testing.assert_close(positive, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(negative, expected, atol=1e-5, rtol=0)
    assert all(torch.equal(context, plain) for context in told("fog", "fog"))


# -- what is kept -------------------------------------------------------------------------------------


@pytest.mark.rule("E13", "E32")
def test_kept_encodings_know_the_file_they_were_made_with(tiny_model: TinyModel, words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model("sd1")
    read: list[int] = []
    real: Callable[..., Any] = module.read_chunk

    def counting(*args: Any) -> Any:
        read.append(1)
        return real(*args)

    monkeypatch.setattr(module, "read_chunk", counting)
    path = write_kohya(table(2), words / "fog.safetensors")
    cache, files = EncodingCache(), KeptEmbeddings()

    def said(text: str = "a fog") -> Tensor:
        return conditioner(model, words, cache, files).encode(wording(text)).context

    first = said()
    assert torch.equal(said(), first)
    assert len(read) == 1
    # The same size and shape, other numbers.
    before = path.stat()
    write_kohya(table(2, seed=9), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert (said() - first).abs().max() > 0.1
    # Two words of as many vectors at the same place.
    write_kohya(table(2, seed=5), words / "moss.safetensors")
    assert (said("a moss") - said("a fog")).abs().max() > 0.1


def test_files_are_kept_under_a_limit(tmp_path: Path) -> None:
    kept = KeptEmbeddings(limit_bytes=table(4).nbytes)
    paths = [write_kohya(table(2, seed=seed), tmp_path / f"{seed}.safetensors") for seed in range(3)]
    opened = kept.open(paths[0])
    assert kept.open(paths[0]) is opened
    assert kept.nbytes == table(2).nbytes
    for path in paths:
        kept.open(path)
    assert len(kept) == 2
    assert kept.open(paths[0]) is not opened
    kept.clear()
    assert (kept.nbytes, len(kept)) == (0, 0)


def test_the_original_program_s_files_keep_their_vectors(tmp_path: Path) -> None:
    path = convert(pickle_original(table(3), tmp_path / "fog.bin")).path
    assert torch.equal(load_file(path)["string_to_param.*"], table(3))
