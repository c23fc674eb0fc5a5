"""Networks of a prompt on a device of its own memory, however the model is kept there: the same pictures, and every weight its own afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sfumato.engine.networks.weights import NetworkWeights
from tests.engine.memory.conftest import Workshop, furthest
from tests.support.network_files import write_network
from tests.support.studio import Pixels

OnCpu = Callable[..., list[Pixels]]
ENDS = ("to_q", "to_k", "to_v", "proj_in", "conv1", "q_proj", "fc1")
PROMPTS = {
    "merged": "x <lora:moss:0.8><lora:spin:0.5>",
    "taking turns": "x <lora:moss:[0.3:0.9:1]> AND y <@lora:spin:0.7>",
}


@pytest.fixture(autouse=True)
def _files(workshop: Workshop) -> None:
    workshop.model()
    folder, modules = workshop.files.root / "loras", workshop.files.modules("sd1")
    write_network(modules, folder / "moss.safetensors", ends=ENDS, strength=1.0)
    write_network(modules, folder / "spin.safetensors", "oft", ends=("to_q", "to_out.0"), strength=1.0)


@pytest.mark.rule("E88", "E105", "E110")
@pytest.mark.parametrize("way", ["none", "components", "blocks", "sequential"])
@pytest.mark.parametrize("what", PROMPTS)
def test_networks_act_the_same_however_the_model_is_kept(workshop: Workshop, on_cpu: OnCpu, way: str, what: str) -> None:
    prompt = PROMPTS[what]
    plain = on_cpu(prompt="x ", steps=2)
    wanted = on_cpu(prompt=prompt, steps=2)
    assert furthest(wanted, plain) > 8
    assert furthest(workshop.paint(prompt=prompt, steps=2, offload=way), wanted) <= 1
    assert furthest(workshop.paint(prompt="x ", steps=2, offload=way), plain) <= 1
    model = workshop.loaded.latest
    assert model is not None
    expected = workshop.files.modules("sd1").unet.state_dict()
    assert all(torch.equal(weight.cpu(), expected[name].half().float()) for name, weight in model.unet.state_dict().items())


@pytest.mark.rule("E88", "E105")
def test_the_way_may_change_from_job_to_job(workshop: Workshop, on_cpu: OnCpu) -> None:
    wanted = on_cpu(prompt=PROMPTS["merged"], steps=2)
    for way in ("none", "sequential", "components", "none", "blocks"):
        assert furthest(workshop.paint(prompt=PROMPTS["merged"], steps=2, offload=way), wanted) <= 1
    weights = workshop.kept.get(NetworkWeights)
    assert weights.nbytes > 0
    weights.clear()
    assert weights.nbytes == 0
