"""Several models stay in memory, by their parts; going back to one reads nothing; parts come from other files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from sfumato.engine.device import choose
from sfumato.engine.kept_parts import KeptParts, LoadedPart, half_of_memory
from sfumato.engine.memory import Loaded
from sfumato.engine.modules import clip_body
from sfumato.protocol.errors import CorruptFile, Invalid, ModelIncompatible, ModelIncomplete, PickleRefused, Stopped
from tests.support.tiny_models import TinyFiles, tiny_modules, write_component, write_folder, write_single_file

DEVICE = choose("fp32", "cpu")
_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event == "open" and isinstance(arguments[0], str | bytes | Path):
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)


@contextmanager
def opened_files() -> Iterator[Callable[[], list[str]]]:
    """What this process opens meanwhile, told by the interpreter itself."""
    global _opened
    _opened = []
    try:
        yield lambda: [path for path in _opened or [] if path.endswith((".safetensors", ".json"))]
    finally:
        _opened = None


def nothing(done: int, total: int) -> None:
    pass


@pytest.mark.rule("E12", "E112")
def test_going_back_to_a_model_reads_nothing(tiny_files: TinyFiles) -> None:
    # Given two models
    loaded = Loaded()
    first = loaded.load(tiny_files.single("sd1"), DEVICE, nothing)
    with opened_files() as opened:
        second = loaded.load(tiny_files.single("sdxl"), DEVICE, nothing)
        assert opened()
    # When one goes to and fro
    with opened_files() as opened:
        assert loaded.load(tiny_files.single("sd1"), DEVICE, nothing) is first
        assert loaded.latest is first
        assert loaded.load(tiny_files.single("sdxl"), DEVICE, nothing) is second
        # Then no file is opened
        assert opened() == []


@pytest.mark.rule("E110", "E112")
def test_the_model_used_longest_ago_goes_where_memory_ends(tiny_files: TinyFiles) -> None:
    paths = [tiny_files.single(kind) for kind in ("sd1", "sd2", "refiner")]
    sizes = []
    for path in paths:
        alone = Loaded()
        alone.load(path, DEVICE, nothing)
        sizes.append(alone.nbytes)
    loaded = Loaded(limit_bytes=sum(sizes) - 1)
    for path in (paths[0], paths[1], paths[0], paths[2]):
        loaded.load(path, DEVICE, nothing)
        assert loaded.nbytes <= sum(sizes) - 1
    assert loaded.held(paths[0], DEVICE) is not None
    assert loaded.held(paths[1], DEVICE) is None
    assert loaded.held(paths[2], DEVICE) is not None
    # A model larger than the limit is loaded all the same, alone.
    small = Loaded(limit_bytes=1)
    for path in paths[:2]:
        small.load(path, DEVICE, nothing)
    assert small.nbytes == sizes[1]
    loaded.clear()
    assert loaded.nbytes == 0
    assert loaded.latest is None


def test_models_in_use_stay(tiny_files: TinyFiles) -> None:
    loaded = Loaded(limit_bytes=1)
    base = loaded.load(tiny_files.single("sdxl"), DEVICE, nothing)
    loaded.load(tiny_files.single("refiner"), DEVICE, nothing, beside=[base])
    assert loaded.held(tiny_files.single("sdxl"), DEVICE) is base


@pytest.mark.rule("E13")
def test_parts_of_a_changed_file_are_let_go(tmp_path: Path) -> None:
    loaded = Loaded()
    path = write_single_file(tiny_modules(), tmp_path / "model.safetensors")
    loaded.load(path, DEVICE, nothing)
    size = loaded.nbytes
    write_single_file(tiny_modules(seed=7), path)
    loaded.load(path, DEVICE, nothing)
    assert loaded.nbytes == size


@pytest.mark.rule("E118")
def test_a_stopped_load_goes_on_from_the_parts_that_were_read(tiny_files: TinyFiles) -> None:
    loaded, reports = Loaded(), []

    def stop_in_the_vae(done: int, total: int) -> None:
        reports.append(done)
        if done == 400:
            raise Stopped

    with pytest.raises(Stopped):
        loaded.load(tiny_files.single("sd1"), DEVICE, stop_in_the_vae)
    assert loaded.latest is None
    again: list[int] = []
    loaded.load(tiny_files.single("sd1"), DEVICE, lambda done, total: again.append(done))
    assert 0 < len(again) < 400


def test_half_of_the_memory_there_is() -> None:
    assert 1 << 28 < half_of_memory() < 1 << 45


def test_least_recently_used_goes_first() -> None:
    parts = KeptParts(limit_bytes=100)
    for name in "ab":
        parts.get(name, lambda: LoadedPart(torch.nn.Linear(3, 3)))
    assert parts.nbytes == 96
    parts.get("a", lambda: pytest.fail("it is held"))
    assert parts.make_room(48, spared=set()) == {"b"}
    assert parts.make_room(100, spared={"a"}) == set()
    assert "a" in parts


# -- parts from other files --------------------------------------------------------------------------------


@pytest.mark.rule("E9", "E19")
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl", "refiner"])
def test_a_unet_alone_is_completed_by_separate_files(tmp_path: Path, tiny_files: TinyFiles, kind: str) -> None:
    # Given each part as a file of its own
    modules = tiny_files.modules(kind)  # type: ignore[arg-type]  the literals above
    unet = write_component(modules, "unet", tmp_path / "unet.safetensors")
    files = {"vae": write_component(modules, "vae", tmp_path / "vae.safetensors")}
    fields = {"clip_l": "clip", "clip_h": "clip", "clip_g": "clip_2"}
    files |= {fields[part]: write_component(modules, part, tmp_path / f"{part}.safetensors") for part in modules.towers}
    # When
    model = Loaded().load(unet, DEVICE, nothing, files)
    # Then everything is as in one file
    for part, state in modules.parts().items():
        module = {"unet": model.unet, "vae": model.vae}.get(part) or clip_body(next(e.tower for e in model.encoders if e.part == part))
        assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    # and without one of them the sentence says where to choose it
    for field in files:
        with pytest.raises(ModelIncomplete, match="Choose one under Model") as caught:
            Loaded().load(unet, DEVICE, nothing, {other: path for other, path in files.items() if other != field})
        assert caught.value.path == field


@pytest.mark.rule("E19", "E112")
def test_a_chosen_vae_replaces_the_checkpoints_own_and_the_rest_is_shared(tmp_path: Path, tiny_files: TinyFiles) -> None:
    other = tiny_modules(seed=5)
    loaded = Loaded()
    own = loaded.load(tiny_files.single("sd1"), DEVICE, nothing)
    for path in (
        write_component(other, "vae", tmp_path / "vae.safetensors"),
        write_single_file(other, tmp_path / "whole.safetensors"),
        write_folder(other, tmp_path / "folder"),
    ):
        model = loaded.load(tiny_files.single("sd1"), DEVICE, nothing, {"vae": path})
        assert torch.equal(model.vae.decoder.conv_in.weight, other.vae.decoder.conv_in.weight)
        assert model.unet is own.unet
        assert model.encoders[0].tower is own.encoders[0].tower
        assert model.checkpoint.identity != own.checkpoint.identity
    assert loaded.load(tiny_files.single("sd1"), DEVICE, nothing) is own


@pytest.mark.rule("E107", "E108", "E112")
def test_a_vae_of_its_own_precision_is_another_part_and_the_rest_is_shared(tiny_files: TinyFiles) -> None:
    loaded = Loaded()
    half = loaded.load(tiny_files.single("sdxl"), choose("fp16", "cpu"), nothing)
    mixed = loaded.load(tiny_files.single("sdxl"), choose("fp16", "cpu", "fp32"), nothing)
    # Half precision does not hold the numbers of this family's VAE
    assert (half.vae.dtype, mixed.vae.dtype) == (torch.bfloat16, torch.float32)
    assert mixed.unet is half.unet
    assert loaded.held(tiny_files.single("sdxl"), choose("fp16", "cpu")) is half


@pytest.mark.rule("E19", "E126")
def test_a_part_of_another_width_is_refused_naming_both(tmp_path: Path, tiny_files: TinyFiles) -> None:
    import dataclasses

    from transformers import CLIPTextConfig, CLIPTextModel

    wide = CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1))
    modules = dataclasses.replace(tiny_files.modules("sd1"), towers={"clip_l": wide})
    path = write_component(modules, "clip_l", tmp_path / "wide.safetensors")
    for kind, own in (("sd1", "32"), ("sdxl", "32")):
        with pytest.raises(ModelIncompatible, match=rf"wide.safetensors.* 64, .* {own}\.") as caught:
            Loaded().load(tiny_files.single(kind), DEVICE, nothing, {"clip": path})
        assert caught.value.path == "clip"


@pytest.mark.rule("E19", "E126")
def test_a_vae_of_another_family_is_refused(tmp_path: Path, tiny_files: TinyFiles) -> None:
    with pytest.raises(ModelIncompatible, match="Stable Diffusion XL") as caught:
        Loaded().load(tiny_files.single("sd1"), DEVICE, nothing, {"vae": tiny_files.single("sdxl")})
    assert caught.value.path == "vae"
    folder = tmp_path / "sdxl-vae"
    write_component(tiny_files.modules("sdxl"), "vae", folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text('{"scaling_factor": 0.13025, "norm_num_groups": 2}')
    with pytest.raises(ModelIncompatible, match=r"0\.13025.*0\.18215") as caught:
        Loaded().load(tiny_files.single("sd1"), DEVICE, nothing, {"vae": folder / "diffusion_pytorch_model.safetensors"})
    assert caught.value.path == "vae"


@pytest.mark.rule("E16", "E126")
def test_a_role_the_family_does_not_have_is_refused(tiny_files: TinyFiles) -> None:
    with pytest.raises(Invalid, match=r"^SDXL refiner does not use 'clip'\.$") as caught:
        Loaded().load(tiny_files.single("refiner"), DEVICE, nothing, {"clip": tiny_files.single("sd1")})
    assert caught.value.path == "clip"


@pytest.mark.rule("E11", "E19", "E126")
def test_wrong_component_files_name_their_field(tmp_path: Path, tiny_files: TinyFiles) -> None:
    (tmp_path / "old.pt").write_bytes(b"PK\x03\x04" + bytes(50))
    (tmp_path / "cut.safetensors").write_bytes(tiny_files.single("sd1").read_bytes()[:1000])
    cases = {tmp_path / "old.pt": PickleRefused, tmp_path / "cut.safetensors": CorruptFile}
    cases[write_component(tiny_files.modules("sd1"), "clip_l", tmp_path / "clip.safetensors")] = ModelIncomplete
    for path, error in cases.items():
        with pytest.raises(error, match=path.name) as caught:
            Loaded().load(tiny_files.single("sd1"), DEVICE, nothing, {"vae": path})
        assert caught.value.path == "vae"
