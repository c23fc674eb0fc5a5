"""Jobs that paint over large pictures in tiles: what the network sees of each, and what comes of all together."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.memory import Loaded
from sfumato.engine.tiled.grid import Method
from sfumato.imaging.picture import read_picture
from sfumato.protocol.errors import Invalid, ModelNotFound, Stopped
from sfumato.protocol.requests.control import ControlUnit
from tests.support.control_files import control_net, save
from tests.support.network_files import write_network
from tests.support.painting import encoded
from tests.support.small_device import SmallDevice, small_device
from tests.support.studio import Pixels, SmallFiles, Studio, box_mask, gradient
from tests.support.tiny_models import INPAINTING, Kind

METHODS: tuple[Method, ...] = get_args(Method)
WIDTH, HEIGHT = 136, 104
# In tiles of 64 px over 16: three columns, two rows
TILES = 6
IN_TILES: dict[str, Any] = {"tile_size": 64, "tile_overlap": 16}
LARGE: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "strength": 0.6}
PICTURE = gradient(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def tiling(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A process with tiny checkpoints, and a LoRA and a ControlNet for sd1 and sdxl, called as these."""
    files = SmallFiles(tmp_path_factory.mktemp("tiled"))
    kinds: tuple[Kind, ...] = ("sd1", "sdxl")
    for kind in kinds:
        save(control_net(files.modules(kind).unet).state_dict(), files.root / "controlnet" / f"{kind}.safetensors")
        write_network(files.modules(kind), files.root / "loras" / f"moss-{kind}.safetensors", rank=4, strength=1.0)
    return Studio(files, tmp_path_factory.mktemp("data"))


def over(studio: Studio, method: str, **fields: Any) -> Pixels:
    """A large picture painted over."""
    return studio.one(PICTURE, tiled=method, **{**IN_TILES, **LARGE, **fields})


def denoised(studio: Studio) -> tuple[int, int]:
    """Calls that were counted, and said to be needed."""
    said = [each for each in studio.recording.progress_made if each.stage == "denoise"]
    return max(each.done for each in said), said[0].total


@contextmanager
def evaluations(studio: Studio) -> Iterator[list[dict[str, Any]]]:
    """What the network is given at each evaluation, while inside."""
    seen: list[dict[str, Any]] = []
    model = studio.kept.get(Loaded).latest
    assert model is not None

    def look(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append({"latents": args[0].clone(), **kwargs})

    hook = model.unet.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_large_picture_is_painted_over_in_tiles(tiling: Studio, method: Method, kind: Kind) -> None:
    model = tiling.model(kind)
    plain = over(tiling, "off", model=model, sampler="Euler a")
    calls, _ = denoised(tiling)
    with evaluations(tiling) as seen:
        painted = over(tiling, method, model=model, sampler="Euler a", batch_size=1)
    assert painted.shape == plain.shape == (HEIGHT, WIDTH, 3)
    assert not np.array_equal(painted, plain)
    # Every call of every tile is counted, and the network sees one tile at a time
    assert denoised(tiling) == (calls * TILES, calls * TILES)
    assert {each["latents"].shape for each in seen} == {(2, 4, 8, 8)}
    assert np.array_equal(over(tiling, method, model=model, sampler="Euler a"), painted)


def test_without_a_size_a_picture_keeps_its_own(tiling: Studio) -> None:
    assert np.array_equal(over(tiling, "tiles", width=None, height=None, steps=1), over(tiling, "tiles", steps=1))


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_a_tile_as_large_as_the_picture_is_the_plain_pass(tiling: Studio, method: Method) -> None:
    assert np.array_equal(over(tiling, method, tile_size=136), over(tiling, "off"))


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_the_highres_pass_is_in_tiles_of_the_models_own_size(tiling: Studio, method: Method) -> None:
    own = {"hr_scale": 2.0, "hr_steps": 2, "hr_strength": 0.5, "tiled": method, "width": 64, "height": 64}
    tiling.one(**own)
    with evaluations(tiling) as seen:
        painted = tiling.one(**own)
    assert painted.shape == (128, 128, 3)
    # The first pass once; then three by three tiles, as 64 px are at most half overlapped
    assert denoised(tiling) == (3 + 2 * 9, 3 + 2 * 9)
    assert {each["latents"].shape[-2:] for each in seen} == {(8, 8)}


@pytest.mark.parametrize("method", METHODS)
def test_pictures_of_a_batch_are_those_of_single_jobs(tiling: Studio, method: Method) -> None:
    both = tiling.paint(PICTURE, tiled=method, **IN_TILES, **LARGE, sampler="Euler a", batch_size=2)
    alone = over(tiling, method, sampler="Euler a", seed=2)
    assert np.abs(both[1].astype(int) - alone).max() <= 1


@pytest.mark.rule("E80")
def test_the_networks_of_sdxl_are_told_where_each_tile_was_cut(tiling: Studio) -> None:
    model = tiling.model("sdxl")
    over(tiling, "off", model=model, steps=1)
    with evaluations(tiling) as seen:
        over(tiling, "multidiffusion", model=model)
    told = [tuple(each["added_cond_kwargs"]["time_ids"][0].tolist()) for each in seen[:TILES]]
    places = [(top, left) for top in (0.0, 40.0) for left in (0.0, 32.0, 72.0)]
    assert [each[2:4] for each in told] == [pytest.approx(place, abs=8) for place in places]
    assert {each[:2] for each in told} == {(float(HEIGHT), float(WIDTH))}
    assert {each[4:6] for each in told} == {(64.0, 64.0)}


@pytest.mark.parametrize("method", METHODS)
def test_what_an_inpainting_network_sees_is_cut_to_the_tile(tiling: Studio, method: Method) -> None:
    fields: dict[str, Any] = {
        "model": tiling.model("sd1", INPAINTING),
        "mask": "mask",
        "blobs": {"mask": encoded(box_mask((70, 0, WIDTH, HEIGHT), WIDTH, HEIGHT))},
    }
    over(tiling, method, **fields)
    with evaluations(tiling) as seen:
        painted = over(tiling, method, **fields)
    masks = [each["latents"][0, 4] for each in seen]
    assert {mask.shape for mask in masks} == {(8, 8)}
    assert any(not mask.any() for mask in masks)
    assert any(bool(mask.all()) for mask in masks)
    # Outside the mask is the picture
    assert np.array_equal(painted[:, :60], np.asarray(PICTURE)[:, :60])


@pytest.mark.parametrize(("method", "mode"), [("tiles", "hard"), ("multidiffusion", "soft"), ("tiles", "differential")])
def test_masks_are_cut_to_the_tile(tiling: Studio, method: Method, mode: str) -> None:
    mask = box_mask((0, 0, 64, HEIGHT), WIDTH, HEIGHT)
    painted = tiling.one(PICTURE, mask, tiled=method, mask_mode=mode, mask_blur=0, **IN_TILES, **LARGE)
    assert np.array_equal(painted[:, 80:], np.asarray(PICTURE)[:, 80:])
    assert not np.array_equal(painted[:, :56], np.asarray(PICTURE)[:, :56])


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_networks_and_a_tile_controlnet_act_on_every_tile(tiling: Studio, method: Method, kind: Kind) -> None:
    fields: dict[str, Any] = {"model": tiling.model(kind), "steps": 2}
    unit = ControlUnit(model=kind, preprocessor="tile")
    plain = over(tiling, method, **fields)
    model = tiling.kept.get(Loaded).latest
    assert model is not None
    before = {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}
    steered = over(tiling, method, **fields, control=[unit], prompt=f"a red circle <lora:moss-{kind}:0.8>")
    change = np.abs(steered.astype(int) - plain).mean(axis=2)
    for top in (0, 52):
        for left in (0, 45, 90):
            assert change[top : top + 50, left : left + 44].mean() > 0.5
    assert not np.array_equal(over(tiling, method, **fields, control=[unit]), steered)
    assert np.array_equal(over(tiling, method, **fields), plain)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.unet.state_dict().items())


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_maps_of_controls_are_made_whole_and_cut(tiling: Studio, method: Method) -> None:
    """A control that is masked away on the right steers the left tiles only."""
    sent = {"half": encoded(box_mask((0, 0, 24, HEIGHT), WIDTH, HEIGHT)), "map": encoded(PICTURE)}
    over(tiling, method)
    with evaluations(tiling) as seen:
        over(tiling, method, steps=2, blobs=sent, control=[ControlUnit(image="map", mask="half", model="sd1")])
    added = [float(each["mid_block_additional_residual"].abs().sum()) for each in seen]
    calls = len(added) // TILES
    of_tiles = [added[number::TILES] if method == "multidiffusion" else added[number * calls : (number + 1) * calls] for number in range(TILES)]
    sums = [sum(each) for each in of_tiles]
    # Small ripples of a mask made small reach beyond it
    assert min(sums[0], sums[3]) > 20 * max(sums[1:3] + sums[4:]), sums


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_captions_are_told_to_their_tiles(tiling: Studio, method: Method) -> None:
    over(tiling, method)
    with evaluations(tiling) as seen:
        captioned = over(tiling, method, steps=2, tile_captions=["", "a green star <lora:moss-sd1:1>"])
    calls = len(seen) // TILES
    contexts = [each["encoder_hidden_states"] for each in (seen[:TILES] if method == "multidiffusion" else seen[::calls])]
    plain = contexts[0]
    assert [torch.equal(context, plain) for context in contexts] == [True, False, True, True, True, True]
    difference = np.abs(captioned.astype(int) - over(tiling, method, steps=2)).max(axis=(0, 2))
    # A decoder's attention carries a little everywhere
    assert difference[:24].max() < difference[60:70].max() / 4
    with pytest.raises(Invalid, match="There are 7 tile captions, but only 6 tiles"):
        over(tiling, method, tile_captions=["x"] * 7)


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_a_job_stops_within_a_tile(tiling: Studio, method: Method) -> None:
    over(tiling, method)
    with evaluations(tiling) as seen, pytest.raises(Stopped):
        over(tiling, method, cancel_at=("denoise", 4))
    assert len(seen) == 4
    assert not tiling.recording.artifacts


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_previews_show_the_whole_picture(tiling: Studio, method: Method) -> None:
    over(tiling, method, preview="linear")
    shown = [preview for said in tiling.recording.progress_made for preview in said.preview]
    assert shown
    sides = {Image.open(io.BytesIO(each)).size for each in shown}
    assert all(width * HEIGHT == pytest.approx(height * WIDTH, rel=0.1) for width, height in sides)


WAYS: dict[str, dict[str, Any]] = {
    "sparing": {"guidance": 1.0, "cfg_end": 0.5},
    "perturbed": {"pag_scale": 2.0, "freeu_b1": 1.2},
    "apg": {"guidance_rule": "apg", "apg_momentum": -0.5, "cfg_rescale": 0.5},
    "loops": {"loops": 2},
    "inverted": {"alternative": True, "alternative_steps": 2, "strength": None},
    "shortcuts": {"deepcache": 2, "token_merging": 0.3},
    "refined": {"refiner": "sd1", "refiner_pass": "first"},
    "unipc": {"sampler": "UniPC"},
    "sde": {"sampler": "DPM++ 2M SDE"},
    "cfg++": {"sampler": "Euler CFG++"},
    "areas": {"prompt": "a AND b", "areas": ("area",)},
    "edited": {"prompt": "[a:b:0.5]"},
}


@pytest.mark.parametrize(("way", "method"), list(zip(WAYS, METHODS * len(WAYS), strict=False)))
def test_tiles_go_with_every_way_to_paint(tiling: Studio, way: str, method: Method) -> None:
    fields = {**WAYS[way]}
    if "refiner" in fields:
        fields["refiner"] = tiling.model("sd2")
    sent = {"area": encoded(box_mask((0, 0, 64, HEIGHT), WIDTH, HEIGHT))}
    painted = over(tiling, method, blobs=sent, **fields)
    assert painted.shape == (HEIGHT, WIDTH, 3)
    assert denoised(tiling)[0] == denoised(tiling)[1]
    assert np.array_equal(over(tiling, method, blobs=sent, **fields), painted)


def test_what_cannot_be_in_tiles_is_refused(tiling: Studio) -> None:
    with pytest.raises(Invalid, match="seamless tiling"):
        over(tiling, "tiles", tiling="x")
    with pytest.raises(Invalid, match="at least 64 px"):
        over(tiling, "tiles", tile_size=48)


@pytest.mark.rule("M20", "M4")
@pytest.mark.parametrize("method", METHODS)
def test_a_picture_in_tiles_tells_how_it_is_made_again(tiling: Studio, method: Method) -> None:
    fields = {"tile_captions": ["", "a star"], **IN_TILES}
    painted = over(tiling, method, **fields, deterministic=True)
    ((_, _, data, _),) = tiling.recording.artifacts
    reading = read_picture(data)
    again = reading.repeated()
    assert (again.tiled, again.tile_size, again.tile_overlap, again.tile_captions) == (method, 64, 16, ("", "a star"))
    assert f"Tiled painting: {method}, Tiled painting size: 64, Tiled painting overlap: 16" in tiling.result.images[0].infotext
    repeated = tiling.paint(blobs={again.image: encoded(PICTURE)}, **again.model_dump())
    assert np.array_equal(repeated[0], painted)
    over(tiling, method, **fields, metadata="prompt_free")
    ((_, _, data, _),) = tiling.recording.artifacts
    assert b"a star" not in data


@pytest.mark.rule("M23", "P38")
def test_networks_that_only_a_caption_names_are_recorded_and_missed(tiling: Studio) -> None:
    over(tiling, "tiles", tile_captions=["<lora:moss-sd1:0.5>"], steps=1)
    ((_, _, data, _),) = tiling.recording.artifacts
    own = read_picture(data).own
    assert own is not None
    assert [network["name"] for network in own["resolved"]["networks"]] == ["moss-sd1"]
    with pytest.raises(ModelNotFound, match="'fern'"):
        over(tiling, "tiles", tile_captions=["", "<lora:fern:1>"], strict_networks=True)


def peak_of_network(process: Studio, device: SmallDevice, **fields: Any) -> int:
    """The most bytes that an evaluation of the network takes, in the second of two jobs."""
    needed: list[int] = []

    def before(*_: Any) -> None:
        device.begin_peak()
        needed.append(device.live_bytes)

    def behind(*_: Any) -> None:
        needed[-1] = device.peak_bytes - needed[-1]

    process.one(**{**fields, "steps": 1})
    model = process.kept.get(Loaded).latest
    assert model is not None
    handles = [model.unet.register_forward_pre_hook(before), model.unet.register_forward_hook(behind)]
    process.one(**fields)
    for handle in handles:
        handle.remove()
    return max(needed)


@pytest.mark.slow
@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_memory_is_that_of_one_tile_however_large_the_picture(tiling: Studio, tmp_path: Path, method: Method) -> None:
    needed = set()
    for width in (104, 240):
        with small_device() as device:
            process = Studio(tiling.files, tmp_path / f"{width}")
            fields: dict[str, Any] = {"image": gradient(width, 64), "width": width, "height": 64, "strength": 0.6, "dtype": "fp32", "steps": 2, **IN_TILES}
            needed.add(peak_of_network(process, device, tiled=method, **fields))
            learned = process.kept.get(Loaded).learned.budget.measured
        assert {work.size for work, *_ in learned if work.name == "denoise"} == {(64, 64)}  # type: ignore[misc]  keys begin with the work
    assert len(needed) == 1
