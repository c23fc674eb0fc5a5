"""Compiled blocks: the same numbers, no trace afterwards, changed weights obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from torch._dynamo.utils import counters

from sfumato.engine import compiling, guidance
from sfumato.engine.compiling import check_compiler, compiled
from sfumato.protocol.errors import Invalid
from tests.engine.conftest import Bench
from tests.engine.patches.bare import assert_bare, noise, state_of

CPU = torch.device("cpu")


class Small(torch.nn.Module):
    """One block of each sort that a UNet repeats."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.resnet = ResnetBlock2D(in_channels=8, temb_channels=16, groups=4)
        self.attention = BasicTransformerBlock(8, 2, 4, cross_attention_dim=6)

    def forward(self, x: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        x = self.resnet(x, time)
        return x + self.attention(x.flatten(2).transpose(1, 2), encoder_hidden_states=context).transpose(1, 2).view_as(x)


def evaluated(network: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = network(noise(2, 8, 4, 4), noise(2, 16), noise(2, 7, 6))
    return found


@pytest.mark.slow
@pytest.mark.rule("E113", "E105")
def test_compiled_blocks_give_the_same_numbers_obey_changed_weights_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    network = Small().eval().requires_grad_(False)
    before, plain = state_of(network), evaluated(network)
    weight = network.attention.attn2.to_v.weight
    counters.clear()
    with compiled(network):
        torch.testing.assert_close(evaluated(network), plain, atol=1e-5, rtol=1e-4)
        translations = counters["stats"]["unique_graphs"]
        assert translations == 2
        # as a merged network changes it
        original = weight.data.clone()
        weight.data.mul_(3)
        changed = evaluated(network)
        assert not torch.allclose(changed, plain, atol=1e-4)
        assert counters["stats"]["unique_graphs"] == translations
    torch.testing.assert_close(evaluated(network), changed, atol=1e-5, rtol=1e-4)
    weight.data.copy_(original)
    assert_bare(network, before)
    assert torch.equal(evaluated(network), plain)
    assert any(tmp_path.rglob("*"))


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_has_compiler", lambda: False)
    with pytest.raises(Invalid, match=r"needs a C\+\+ compiler"):
        check_compiler(CPU)


@pytest.mark.slow
@pytest.mark.rule("E113")
def test_a_job_compiles_what_nothing_stands_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[torch.nn.Module] = []

    @contextmanager
    def watched(unet: torch.nn.Module) -> Iterator[None]:
        entered.append(unet)
        yield

    # the translation itself is proved above; here it is asked where one is made
    monkeypatch.setattr(guidance, "compiled", watched)
    bench.run(width=64, height=64)
    assert not entered
    for fields in ({"pag_scale": 2.0}, {"tiling": "x"}, {"token_merging": 0.5}, {"attention": "split"}, {"freeu_b1": 1.2}):
        bench.run(width=64, height=64, compile=True, **fields)
        assert not entered, fields
    bench.run(width=64, height=64, compile=True, hr_scale=2, hr_steps=2)
    assert len(entered) == 2
