"""Prompts become the hidden states the family was trained with, weighted by the rule that was asked for."""

from __future__ import annotations

import pytest
import torch

from sfumato.engine.conditioning import EncodingCache, clip_hidden, emphasise, encode
from sfumato.engine.family import Model
from sfumato.prompts import framed, understand
from sfumato.protocol.errors import Stopped


def tokens_of(text: str) -> torch.Tensor:
    return torch.tensor([framed(chunk)[0] for chunk in understand(text).chunks])


def context(model: Model, text: str, mode: str = "original", layer: int = 1) -> torch.Tensor:
    with torch.inference_mode():
        return encode(model, understand(text, emphasis=mode).chunks, layer, mode, EncodingCache(), lambda: None).context  # type: ignore[arg-type]  a word


@pytest.mark.rule("E26", "E15")
def test_last_layer_equals_the_tower_itself(model: Model) -> None:
    tokens = tokens_of("a red circle, blue background")
    with torch.inference_mode():
        torch.testing.assert_close(clip_hidden(model.encoders[0].tower, tokens, 1), model.encoders[0].tower(tokens).last_hidden_state, atol=1e-6, rtol=0)


@pytest.mark.rule("E26", "R45")
def test_clip_skip_reads_an_earlier_layer_with_the_final_norm(model: Model) -> None:
    tokens = tokens_of("a red circle")
    with torch.inference_mode():
        states = model.encoders[0].tower(tokens, output_hidden_states=True).hidden_states
        expected = model.encoders[0].tower.final_layer_norm(states[-2])
        torch.testing.assert_close(clip_hidden(model.encoders[0].tower, tokens, 2), expected, atol=1e-6, rtol=0)
        assert not torch.allclose(expected, clip_hidden(model.encoders[0].tower, tokens, 1), atol=1e-3)


@pytest.mark.rule("E28", "P35")
def test_emphasis_follows_its_formulas(model: Model) -> None:
    chunk = understand("a (red:1.4) [circle]").chunks[0]
    tokens, weights = framed(chunk)
    w = torch.tensor(weights)
    with torch.inference_mode():
        z = clip_hidden(model.encoders[0].tower, torch.tensor([tokens]), 1)
    weighted = z * w[None, :, None]
    torch.testing.assert_close(emphasise(z, w, "original").context, weighted * z.mean() / weighted.mean())
    assert float(emphasise(z, w, "original").context.mean()) == pytest.approx(float(z.mean()), rel=1e-4)
    torch.testing.assert_close(emphasise(z, w, "no_norm").context, weighted)
    torch.testing.assert_close(emphasise(z, w, "ignore").context, z)
    torch.testing.assert_close(context(model, "a (red:1.4) [circle]"), weighted * z.mean() / weighted.mean())


@pytest.mark.rule("E28")
def test_weights_that_cancel_the_mean_are_told() -> None:
    hidden = torch.tensor([1.0, 1.0])[None, :, None].expand(1, 2, 4)
    made = emphasise(hidden, torch.tensor([1.0, -1.0]), "original")
    assert made.is_unrestored
    torch.testing.assert_close(made.context[0, :, 0], torch.tensor([1.0, -1.0]))
    assert not emphasise(hidden, torch.tensor([1.0, 0.5]), "original").is_unrestored


@pytest.mark.rule("P35", "P32", "E28")
def test_chunks_are_joined_along_the_tokens_each_as_if_alone(model: Model) -> None:
    first, second = "a (red:1.3) circle", "a blue square"
    joined = context(model, f"{first} BREAK {second}")
    assert joined.shape == (1, 154, 32)
    torch.testing.assert_close(joined[:, :77], context(model, first), atol=0, rtol=0)
    torch.testing.assert_close(joined[:, 77:], context(model, second), atol=0, rtol=0)


@pytest.mark.rule("P2", "E32")
def test_a_prompt_of_ten_thousand_characters_is_encoded(model: Model) -> None:
    text = "word " * 2000
    calls = []
    with torch.inference_mode():
        made = encode(model, understand(text).chunks, 1, "original", EncodingCache(), lambda: calls.append(None))
    assert made.context.shape[1] == 77 * len(calls)
    assert len(calls) == -(-2000 // 75)
    assert bool(made.context.isfinite().all())


@pytest.mark.rule("E112", "E32")
def test_encodings_are_kept_under_a_complete_key(model: Model) -> None:
    cache = EncodingCache()
    chunks = understand("a (red:1.3) circle").chunks
    with torch.inference_mode():
        first = encode(model, chunks, 1, "original", cache, lambda: None).context
        assert torch.equal(encode(model, chunks, 1, "original", cache, lambda: None).context, first)
        assert len(cache) == 1
        others = [
            encode(model, chunks, 2, "original", cache, lambda: None),
            encode(model, chunks, 1, "no_norm", cache, lambda: None),
            encode(model, understand("a (red:1.2) circle").chunks, 1, "original", cache, lambda: None),
        ]
    assert len(cache) == 4
    assert not any(torch.equal(other.context, first) for other in others)


@pytest.mark.rule("E112")
def test_the_cache_forgets_the_least_recently_used(model: Model) -> None:
    one = 77 * 32 * 4
    cache = EncodingCache(limit_bytes=2 * one)
    texts = ["a", "b", "a", "c"]
    with torch.inference_mode():
        for text in texts:
            encode(model, understand(text).chunks, 1, "original", cache, lambda: None)
        assert len(cache) == 2
        made: list[int] = []
        key_of_a = understand("a").chunks
        encode(model, key_of_a, 1, "original", cache, lambda: made.append(1))
    assert len(cache) == 2


@pytest.mark.rule("E118")
def test_encoding_stops_between_chunks(model: Model) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        encode(model, understand("a").chunks, 1, "original", EncodingCache(), stop)
