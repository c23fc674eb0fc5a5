"""Network files that lie: every one is refused with a sentence or acts as a whole, and none decides how much memory is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sfumato.engine.family import Model
from sfumato.engine.networks.description import describe
from sfumato.engine.networks.file import open_network
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelUnsupported, SfumatoError
from tests.engine.networks.test_files import SOME, weight_of
from tests.support.network_files import KINDS, NetworkKind, write_network
from tests.support.tiny_models import TinyModules

TinyModel = Callable[..., tuple[Model, TinyModules]]
LAYER = "lora_unet_mid_block_resnets_0_conv1"
LINEAR = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.mark.rule("E87")
@pytest.mark.parametrize(
    ("tensors", "error", "sentence"),
    [
        ({f"{LINEAR}.lora_up.weight": (64, 0), f"{LINEAR}.lora_down.weight": (0, 32)}, CorruptFile, "is empty"),
        ({f"{LINEAR}.lora_up.weight": (64, 2), f"{LINEAR}.lora_down.weight": (3, 32)}, CorruptFile, "different ranks"),
        ({f"{LINEAR}.lora_up.weight": (64, 2)}, CorruptFile, "is not complete, it has only 'up'"),
        ({f"{LINEAR}.alpha": ()}, ModelUnsupported, "no network"),
        ({f"{LINEAR}.lora_up.weight": (64, 2), f"{LINEAR}.lora_down.weight": (2, 32), f"{LINEAR}.alpha": (2,)}, CorruptFile, "no single number"),
        ({f"{LINEAR}.lora_up.weight": (64, 2), f"{LINEAR}.lora_down.weight": (2, 32), f"{LINEAR}.dora_scale": (5, 1)}, ModelIncompatible, "another size"),
        ({f"{LINEAR}.lokr_w1": (4096, 4096), f"{LINEAR}.lokr_w2": (4096, 4096)}, ModelIncompatible, "another size"),
        (
            {
                f"{LINEAR}.hada_w1_a": (1 << 20, 1),
                f"{LINEAR}.hada_w1_b": (1, 1 << 20),
                f"{LINEAR}.hada_w2_a": (1 << 20, 1),
                f"{LINEAR}.hada_w2_b": (1, 1 << 20),
            },
            ModelIncompatible,
            "another size",
        ),
        ({f"{LINEAR}.oft_blocks": (1, 4096, 4096)}, ModelIncompatible, "another size"),
        ({f"{LAYER}.lora_up.weight": (64, 2, 1, 1), f"{LAYER}.lora_down.weight": (2, 64, 1, 1)}, ModelIncompatible, "another size"),
        ({f"{LINEAR}.lora_up.weight": (64, 2), f"{LINEAR}.lora_down.weight": (2, 32), f"{LINEAR}.lambda_layer": (2,)}, ModelUnsupported, "'lambda_layer' in"),
        (
            {"lora_unet_mid_block_resnets_0_norm1.lora_up.weight": (64, 2), "lora_unet_mid_block_resnets_0_norm1.lora_down.weight": (2, 1)},
            ModelIncompatible,
            "another size",
        ),
    ],
)
def test_what_shapes_tell_is_refused_before_a_tensor_is_read(
    tensors: Mapping[str, tuple[int, ...]], error: type[SfumatoError], sentence: str, tiny_model: TinyModel, tmp_path: Path
) -> None:
    model, _ = tiny_model("sd1")
    path = holes(tmp_path / "one.safetensors", tensors)
    with pytest.raises(error, match=sentence):
        open_network(path, model, never)


def never() -> None:
    pytest.fail("A tensor was read.")


def holes(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A file whose tensors are holes, which take no room on the disk."""
    header: dict[str, object] = {}
    place = 0
    for key, shape in shapes.items():
        count = torch.Size(shape).numel() * 2
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + place)
    return path


@pytest.mark.rule("E87")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("leaf", ["lora_up.weight", "alpha"])
def test_numbers_that_are_none_are_refused(value: float, leaf: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME, dtype=torch.float16)
    stored = load_file(written.path)
    key = next(key for key in stored if key.endswith(leaf))
    stored[key].view(-1)[-1] = value
    save_file(stored, written.path)
    with pytest.raises(CorruptFile, match="holds numbers that are none"):
        open_network(written.path, model)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 5000,
        "null",
        '{"unet.lora_alpha": NaN}',
        f'{{"unet.lora_alpha": 1{"0" * 400}}}',
        '{"unet.alpha_pattern": 3, "unet.lora_alpha": true}',
        "x" * (2 << 20),
    ],
)
def test_a_configuration_that_is_none_says_nothing(text: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    path = write_network(modules, tmp_path / "one.safetensors", layout="peft", ends=SOME[:1], alpha=None, metadata={"lora_adapter_metadata": text}).path
    assert [delta.scale for delta in open_network(path, model).deltas.values()] == [1.0]  # type: ignore[attr-defined]  plain LoRA


def test_a_file_cut_short_is_corrupt(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", ends=SOME)
    content = written.path.read_bytes()
    for length in (0, 7, 100, len(content) - 1):
        written.path.write_bytes(content[:length])
        with pytest.raises(CorruptFile):
            open_network(written.path, model)


def test_tensors_at_odd_places_are_read_as_they_are(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, _ = tiny_model("sd1")
    up, down = torch.randn(64, 2), torch.randn(2, 32)
    data = b"\x00" + up.numpy().tobytes() + down.numpy().tobytes()
    header = {
        "odd": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        f"{LINEAR}.lora_up.weight": {"dtype": "F32", "shape": [64, 2], "data_offsets": [1, 513]},
        f"{LINEAR}.lora_down.weight": {"dtype": "F32", "shape": [2, 32], "data_offsets": [513, 769]},
        f"{LINEAR}.alpha": {"dtype": "F32", "shape": [], "data_offsets": [769, 773]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "one.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data + torch.tensor(2.0).numpy().tobytes())
    network = open_network(path, model)
    ((target, delta),) = network.deltas.items()
    torch.testing.assert_close(delta.change(weight_of(model, target)), up @ down)
    assert network.unmatched == 1


@pytest.mark.rule("E87")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_whatever_the_shapes_are_a_file_is_refused_or_acts_as_a_whole(kind: NetworkKind, data: st.DataObject, tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    written = write_network(modules, tmp_path / "one.safetensors", kind, ends=("attn2.to_k",), parts=("unet",))
    stored = load_file(written.path)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(stored)))
        action = data.draw(st.sampled_from(["reshape", "drop", "rename"]))
        if action == "reshape":
            stored[key] = torch.ones(
                data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 16, 32, 64]), max_size=4).filter(lambda sides: torch.Size(sides).numel() < 5000))
            )
        elif action == "drop" and len(stored) > 1:
            del stored[key]
        elif action == "rename":
            stored[
                key.rpartition(".")[0] + data.draw(st.sampled_from([".alpha", ".dora_scale", ".lokr_t2", ".scale", ".rescale", ".diff", ".x", ".on_input"]))
            ] = stored.pop(key)
    save_file(stored, written.path)
    describe(read_header(written.path))
    try:
        network = open_network(written.path, model)
    except (CorruptFile, ModelIncompatible, ModelUnsupported):
        return
    for target, delta in network.deltas.items():
        weight = weight_of(model, target)
        assert delta.change(weight, 1).shape == delta.change(weight).shape == weight.shape
