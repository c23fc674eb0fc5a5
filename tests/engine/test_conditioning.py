"""Prompts become the hidden states their family was trained with, weighted by the rule that was asked for, and are encoded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sfumato.engine import conditioning as module
from sfumato.engine.conditioning import Conditioner, Conditioning, EncodingCache, TextSettings, emphasise, extended, filled, text_settings
from sfumato.engine.family import Model
from sfumato.engine.sampling import deterministic
from sfumato.prompts import PassSpan, PromptOptions, Wording, framed, read_prompt
from sfumato.protocol.errors import Stopped
from sfumato.protocol.requests.generate import Generate
from tests.engine.conftest import TinyModel, load
from tests.support.tiny_models import TinyFiles, TinyModules, tiny_modules, write_single_file

TEXT = "a (red:1.4) [circle], blue"


@pytest.fixture(autouse=True)
def _inference() -> Any:
    with torch.inference_mode():
        yield


def wording(text: str, **options: Any) -> Wording:
    return read_prompt(text, options=PromptOptions(**options)).parts[0].at(0, PassSpan(1))


def conditioner(model: Model, cache: EncodingCache | None = None, **settings: Any) -> Conditioner:
    return Conditioner(model, TextSettings(**settings), EncodingCache() if cache is None else cache)


def encoded(model: Model, text: str, **settings: Any) -> Conditioning:
    options = {name: value for name, value in settings.items() if name in ("emphasis", "attention_negative")}
    return conditioner(model, **settings).encode(wording(text, **options))


def places(model: Model, text: str) -> list[tuple[Tensor, Tensor]]:
    """Tokens (1, 77) and weights (77,) of the first chunk, for each encoder."""
    chunk = conditioner(model).chunks_of(wording(text))[0]
    return [(torch.tensor([tokens]), torch.tensor(weights)) for tokens, weights in (framed(chunk, encoder.padding) for encoder in model.encoders)]


def reference(modules: TinyModules, part: str, tokens: Tensor, layer: int, normed: bool) -> Tensor:
    """The layer counted from the end, by the tower itself."""
    tower = modules.towers[part]
    state = tower(tokens, output_hidden_states=True).hidden_states[-layer]
    return tower.final_layer_norm(state) if normed else state


@pytest.mark.rule("E26", "E15", "P63")
@pytest.mark.parametrize(("kind", "own", "normed"), [("sd1", 1, True), ("sd2", 2, True), ("sdxl", 2, False), ("refiner", 2, False)])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_every_family_reads_its_layer_or_the_one_asked_for(tiny_model: TinyModel, kind: str, own: int, normed: bool, skip: int) -> None:
    model, modules = tiny_model(kind)
    made = encoded(model, "a red circle", clip_skip=skip).context
    states = [
        reference(modules, encoder.part, tokens, skip or own, normed)
        for encoder, (tokens, _) in zip(model.encoders, places(model, "a red circle"), strict=True)
    ]
    torch.testing.assert_close(made, torch.cat(states, dim=-1), atol=1e-5, rtol=0)


@pytest.mark.rule("R45", "E26")
def test_R45_clip_skip_acts_on_sdxl(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    assert not torch.allclose(encoded(model, "a red circle", clip_skip=1).context, encoded(model, "a red circle", clip_skip=2).context, atol=1e-3)


@pytest.mark.rule("E26")
def test_a_layer_that_a_file_lacks_is_counted_and_told(tiny_files: TinyFiles) -> None:
    # Given SD2's folder, whose tower was saved without its last layer
    model = load(tiny_files.folder("sd2"))
    assert model.encoders[0].absent == 1
    usual = conditioner(model)
    assert usual.warnings == ()
    # When the last layer is asked for, the last that is there is read
    asked = conditioner(model, clip_skip=1)
    assert torch.equal(asked.encode(wording("a")).context, usual.encode(wording("a")).context)
    (warning,) = asked.warnings
    assert warning.path == "clip_skip"
    assert "layer 2 was read" in warning.message


@pytest.mark.rule("E27", "P35")
@pytest.mark.parametrize("kind", ["sdxl", "refiner"])
def test_the_pooled_vector_is_of_the_first_chunk_and_bears_no_weights(tiny_model: TinyModel, kind: str) -> None:
    model, modules = tiny_model(kind)
    made = encoded(model, "a (red:1.4) circle BREAK something else", clip_skip=1).pooled
    tokens = places(model, "a (red:1.4) circle")[-1][0]
    tower = modules.towers["clip_g"]
    last = tower(tokens).last_hidden_state[0, tokens[0].tolist().index(49407)]
    assert made is not None
    torch.testing.assert_close(made[0], modules.projections["clip_g"] @ last, atol=1e-5, rtol=0)
    assert encoded(tiny_model("sd1")[0], "a").pooled is None


@pytest.mark.rule("E28", "P35", "P63", "P10")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
@pytest.mark.parametrize("text", [TEXT, "(a:0) (cat:-1.5) sits"])
def test_emphasis_follows_its_formulas_for_each_encoder(tiny_model: TinyModel, kind: str, text: str) -> None:
    model, modules = tiny_model(kind)
    rule, left = model.text, 0
    for encoder, (tokens, weights), (nothing, _) in zip(model.encoders, places(model, text), places(model, ""), strict=True):
        z, empty = (reference(modules, encoder.part, of, rule.layer, rule.final_norm) for of in (tokens, nothing))
        weighted = z * weights[None, :, None]
        expected = {
            "original": weighted * (z.mean() / weighted.mean()),
            "no_norm": weighted,
            "ignore": z,
            "interpolate": empty + weights[None, :, None] * (z - empty),
        }
        for mode, context in expected.items():
            made = encoded(model, text, emphasis=mode).context[..., left : left + encoder.width]
            torch.testing.assert_close(made, context, atol=1e-4, rtol=1e-4)
        left += encoder.width


@pytest.mark.rule("E28", "P65")
def test_without_emphasis_brackets_are_words(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1")
    assert torch.equal(encoded(model, "a (red:1.4)", emphasis="none").context, encoded(model, r"a \(red\:1.4\)").context)


@pytest.mark.rule("E28")
def test_weights_that_cancel_the_mean_are_told() -> None:
    hidden = torch.tensor([1.0, 1.0])[None, :, None].expand(1, 2, 4)
    made, is_unrestored = emphasise(hidden, torch.tensor([1.0, -1.0]), "original")
    assert is_unrestored
    torch.testing.assert_close(made[0, :, 0], torch.tensor([1.0, -1.0]))
    assert not emphasise(hidden, torch.tensor([1.0, 0.5]), "original")[1]


@pytest.mark.rule("P35", "P32", "E28")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_chunks_are_joined_along_the_tokens_each_as_if_alone(tiny_model: TinyModel, kind: str) -> None:
    model, _ = tiny_model(kind)
    first, second = "a (red:1.3) circle", "a blue square"
    joined = encoded(model, f"{first} BREAK {second}").context
    assert joined.shape == (1, 154, 32 * len(model.encoders))
    assert torch.equal(joined[:, :77], encoded(model, first).context)
    assert torch.equal(joined[:, 77:], encoded(model, second).context)


@pytest.mark.rule("P63")
def test_the_second_encoder_of_sdxl_may_read_another_text(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    both = conditioner(model).encode(wording("a red circle"), wording("a blue square BREAK far away"))
    first, second = encoded(model, "a red circle"), encoded(model, "a blue square BREAK far away")
    # The shorter text is followed by an empty chunk
    longer = torch.cat([first.context, encoded(model, "").context], dim=1)
    torch.testing.assert_close(both.context, torch.cat([longer[..., :32], second.context[..., 32:]], dim=-1), atol=1e-6, rtol=0)
    assert both.pooled is not None
    assert second.pooled is not None
    assert torch.equal(both.pooled, second.pooled)


@pytest.mark.rule("E29", "P63")
def test_an_empty_negative_is_zero_where_the_family_was_trained_so(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    zeros = conditioner(model).unconditional()
    assert zeros.context.shape == (1, 77, 64)
    assert zeros.pooled is not None
    assert float(zeros.context.abs().sum() + zeros.pooled.abs().sum()) == 0
    assert zeros.pooled.shape == (1, 32)
    assert torch.equal(conditioner(model, zero_empty_negative=False).unconditional().context, encoded(model, "").context)
    sd1, _ = tiny_model("sd1")
    assert torch.equal(conditioner(sd1).unconditional().context, encoded(sd1, "").context)


@pytest.mark.rule("P65", "P10")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_negative_weights_may_turn_values_instead(tiny_model: TinyModel, kind: str) -> None:
    model, _ = tiny_model(kind)
    made = encoded(model, "a (red:-1.4) circle, (blue:0) sky", attention_negative="value")
    plain = encoded(model, "a (red:1.4) circle,  sky")
    # The size of the weight acts as usual, text of weight 0 is gone
    torch.testing.assert_close(made.context, plain.context, atol=1e-6, rtol=0)
    assert plain.signs is None
    assert made.signs is not None
    assert made.signs.shape == made.context.shape
    assert (made.signs[0] < 0).any(1).nonzero().flatten().tolist() == [2]  # start, a, red
    assert (made.signs[0, 2] == -1).all()
    assert encoded(model, "a (red:-1.4) circle").signs is None


@pytest.mark.rule("P65", "E31")
def test_lengths_are_evened_with_the_last_vector_or_with_empty_chunks() -> None:
    short = Conditioning(torch.arange(4.0)[None, :, None].expand(1, 4, 3), signs=torch.ones(1, 4, 3))
    empty = Conditioning(torch.full((1, 4, 3), 9.0))
    assert extended(short, 6).context[0, :, 0].tolist() == [0, 1, 2, 3, 3, 3]
    assert extended(short, 2).context[0, :, 0].tolist() == [0, 1]
    longer = filled(short, 12, empty)
    assert longer.context[0, :, 0].tolist() == [0, 1, 2, 3] + [9.0] * 8
    assert longer.signs is not None
    assert longer.signs.shape == (1, 12, 3)


@pytest.mark.rule("P2", "E32")
def test_a_prompt_of_ten_thousand_characters_is_encoded_chunk_by_chunk(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    calls: list[None] = []
    said = wording("word " * 2000)
    maker = conditioner(model)
    made = maker.encode(said, each=lambda: calls.append(None))
    assert made.context.shape[1] == 77 * -(-2000 // 75)
    assert len(calls) == maker.passes(said) == 2 * -(-2000 // 75)
    # Of two texts the shorter is read as long as the other.
    calls.clear()
    maker.encode(said, wording("word"), lambda: calls.append(None))
    assert len(calls) == maker.passes(said, wording("word")) == 2 * -(-2000 // 75)
    assert bool(made.context.isfinite().all())


@pytest.mark.rule("R20", "P60")
def test_R20_newlines_are_blanks(model: Model) -> None:
    maker = conditioner(model)
    assert [chunk.tokens for chunk in maker.chunks_of(wording("red cat\nblue dog"))] == [chunk.tokens for chunk in maker.chunks_of(wording("red cat blue dog"))]
    assert torch.equal(maker.encode(wording("red cat\nblue dog")).context, maker.encode(wording("red cat blue dog")).context)


@pytest.mark.rule("R21", "P27")
def test_R21_a_number_at_the_end_is_text_without_and(model: Model) -> None:
    prompt = read_prompt("aspect ratio 16:9")
    assert [part.weight for part in prompt.parts] == [1.0]
    said = prompt.parts[0].at(0, PassSpan(1))
    assert torch.equal(conditioner(model).encode(said).context, encoded(model, r"aspect ratio 16\:9").context)


class Reads:
    """Counts the passes through text towers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        original = module.read_chunk

        def counted(*args: Any) -> Any:
            self.made += 1
            return original(*args)

        monkeypatch.setattr(module, "read_chunk", counted)


@pytest.mark.rule("R133", "E112", "E32")
def test_R133_equal_texts_need_no_encoder(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model("sdxl")
    reads, cache = Reads(monkeypatch), EncodingCache()
    first = conditioner(model, cache).encode(wording("a (red:1.3) circle"))
    assert reads.made == 2  # one pass of each encoder
    # Another job, and one with another weight, skip nothing but the encoders
    again = conditioner(model, cache).encode(wording("a (red:1.3) circle"))
    other = conditioner(model, cache).encode(wording("a (red:1.2) circle"))
    assert reads.made == 2
    assert torch.equal(first.context, again.context)
    assert not torch.equal(first.context, other.context)
    # whereas another layer, text or checkpoint needs them
    conditioner(model, cache, clip_skip=1).encode(wording("a circle"))
    conditioner(model, cache).encode(wording("a circle"))
    changed = replace(model, checkpoint=replace(model.checkpoint, identity=(("other", 1, 1),)))
    conditioner(changed, cache).encode(wording("a circle"))
    assert reads.made == 8


@pytest.mark.rule("E112", "E19")
def test_an_encoder_from_another_file_has_encodings_of_its_own(tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a checkpoint, the same with another file's encoder, and the same with that file's VAE
    model, _ = tiny_model("sd1")
    other = load(write_single_file(tiny_modules("sd1", seed=8), tmp_path / "other.safetensors"))
    swapped = replace(model, checkpoint=model.checkpoint.with_part("clip_l", other.checkpoint, "clip_l"), encoders=other.encoders)
    repainted = replace(model, checkpoint=model.checkpoint.with_part("vae", other.checkpoint, "vae"), vae=other.vae)
    assert swapped.checkpoint.identity == repainted.checkpoint.identity
    reads, cache = Reads(monkeypatch), EncodingCache()
    first, second, third, fourth = (conditioner(one, cache).encode(wording("a")).context for one in (model, swapped, repainted, other))
    assert reads.made == 2
    assert torch.equal(first, third)
    assert torch.equal(second, fourth)
    assert not torch.equal(first, second)


@pytest.mark.rule("E112")
def test_the_cache_forgets_the_least_recently_used(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, one = Reads(monkeypatch), 77 * 32 * 4
    maker = conditioner(model, cache := EncodingCache(limit_bytes=2 * one))
    for text in ("a", "b", "a", "c", "a"):
        maker.encode(wording(text))
    assert len(cache) == 2
    assert reads.made == 3  # a, b, c
    maker.encode(wording("b"))
    assert reads.made == 4
    cache.clear()
    assert len(cache) == 0


@pytest.mark.rule("E118")
def test_encoding_stops_between_chunks(model: Model) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        conditioner(model).encode(wording("a"), each=stop)


@pytest.mark.rule("P65")
def test_settings_are_the_requests() -> None:
    request = Generate(clip_skip=2, emphasis="no_norm", attention_negative="value", comma_padding_backtrack=0, pad_conds="v0", zero_empty_negative=False)
    assert text_settings(request) == TextSettings(2, "no_norm", "value", 0, "v0", False)
    assert text_settings(Generate()) == TextSettings()


@pytest.mark.rule("E117", "E112")
def test_what_is_kept_does_not_tell_by_which_kernels_it_was_made(model: Model) -> None:
    text = wording("a red circle, a blue square")
    plain = conditioner(model).encode(text).context
    with deterministic(torch.device("cpu"), True):
        assert torch.equal(conditioner(model).encode(text).context, plain)
