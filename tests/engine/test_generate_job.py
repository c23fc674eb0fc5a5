"""The job as a whole: what a request says is what is done, whatever was done before, and all of it is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.memory import Loaded
from sfumato.protocol.requests.generate import Generate
from tests.support.painting import encoded
from tests.support.studio import Studio, box_mask, gradient
from tests.support.tiny_models import INPAINTING

PICTURE = gradient()
MASK = box_mask((16, 16, 48, 40))


def said(studio: Studio, stage: str) -> list[tuple[int, int]]:
    return [(entry.done, entry.total) for entry in studio.recording.progress_made if entry.stage == stage]


JOBS: tuple[dict[str, object], ...] = (
    {},
    {"sampler": "DPM++ SDE", "eta": 0.5, "steps": 2},
    {"guidance": 3.0, "negative": "blur", "cfg_rescale": 0.7},
    {"pag_scale": 2.0, "freeu_b1": 1.4},
    {"tiling": "x", "seed": 4},
    {"image": "image", "strength": 0.7, "encode_sample": True},
    {"image": "image", "mask": "mask", "mask_fill": "noise", "sampler": "DDIM"},
    {"hr_scale": 1.5, "hr_model": "tiny-sd2", "steps": 2},
    {"model": "tiny-sd2", "prompt": "a [red|blue] circle"},
    {"prompt": "a AND b:0.5", "quantize_t": True, "downcast_alphas": True, "zero_terminal_snr": "on"},
    {"model": "tiny-sd1-9", "image": "image", "mask": "mask"},
    {"image": "image", "alternative": True, "alternative_steps": 3},
    {"vae_dtype": "bf16", "rng": "nv"},
    {"schedule": "karras", "sigma_max": 10.0, "clip_skip": 2, "emphasis": "no_norm", "prompt": "(a:1.5) circle"},
)


@pytest.mark.rule("E117", "R33", "E105")
def test_R33_no_job_depends_on_those_before_it(studio: Studio) -> None:
    for kind in ("sd1", "sd2"):
        studio.model(kind)
    studio.model("sd1", INPAINTING)
    blobs = {"image": encoded(PICTURE), "mask": encoded(MASK)}

    def paint(job: dict[str, object], **others: object) -> np.ndarray:
        return studio.one(
            job.get("image"), job.get("mask"), blobs=blobs, **{key: value for key, value in job.items() if key not in ("image", "mask")}, **others
        )

    first = [paint(job) for job in JOBS]
    assert len({picture.tobytes() for picture in first}) == len(JOBS)
    order = list(range(len(JOBS)))
    random.Random(3).shuffle(order)
    for number in order:
        # Previews and their interval are nothing a picture depends on
        assert np.array_equal(paint(JOBS[number], preview="linear" if number % 2 else "off"), first[number]), JOBS[number]


@pytest.mark.rule("E117")
def test_a_fresh_process_paints_the_same(studio: Studio, tmp_path: Path) -> None:
    fresh = Studio(studio.files, tmp_path)
    for job in ({"sampler": "DPM++ 2M SDE"}, {"hr_scale": 1.5}):
        assert np.array_equal(fresh.one(**job), studio.one(**job))


@pytest.mark.rule("R35", "E7")
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl"])
def test_R35_width_and_height_are_not_mixed_up(studio: Studio, kind) -> None:
    model = studio.model(kind)
    assert studio.one(model=model, width=64, height=96).shape == (96, 64, 3)
    assert studio.one(model=model, width=96, height=72, hr_scale=1.5).shape == (104, 144, 3)
    assert (studio.result.images[0].width, studio.result.images[0].height) == (144, 104)


@pytest.mark.rule("R35")
@pytest.mark.slow
def test_R35_512x768_gives_a_512x768_picture(studio: Studio) -> None:
    assert studio.one(model=studio.model("sdxl"), width=512, height=768, steps=1).shape == (768, 512, 3)


@pytest.mark.rule("R50")
def test_R50_as_many_pictures_as_were_asked_for_in_every_mode(studio: Studio) -> None:
    for fields in ({}, {"hr_scale": 1.5}, {"loops": 2}, {"mask_padding": 4}):
        image, mask = (PICTURE if "loops" in fields or "mask_padding" in fields else None), (MASK if "mask_padding" in fields else None)
        pictures = studio.paint(image, mask, batch_size=2, batch_count=2, seed=11, steps=1, **fields)
        assert len(pictures) == 4
        assert len({picture.tobytes() for picture in pictures}) == 4
        assert [record.seed for record in studio.result.images] == [11, 12, 13, 14]
        assert [name for name, *_ in studio.recording.artifacts] == [f"image-{index}" for index in range(4)]


@pytest.mark.rule("E8")
def test_every_stage_counts_to_a_total_that_is_known_before(studio: Studio) -> None:
    studio.paint(hr_scale=1.5, hr_prompt="another", batch_size=2, batch_count=2, refiner=studio.model(), refiner_pass="both", sampler="Heun", steps=3)
    for stage in ("encode", "denoise", "upscale", "decode", "save"):
        counted = said(studio, stage)
        totals = {total for _, total in counted}
        assert len(totals) == 1, stage
        done = [number for number, _ in counted]
        assert done == sorted(done)
        assert done[-1] == totals.pop()
    assert said(studio, "denoise")[-1] == (2 * (5 + 5), 20)
    assert said(studio, "decode")[-1] == (8, 8)
    # prompt, negative, and the same for the refiner, whose checkpoint is the same; the highres prompt
    assert said(studio, "encode")[0][0] == 0


@pytest.mark.rule("E8", "P20")
def test_a_sampler_that_decides_its_calls_itself_keeps_its_total(studio: Studio) -> None:
    studio.one(sampler="DPM adaptive", prompt="[a:b:0.5]")
    counted = said(studio, "denoise")
    assert len({total for _, total in counted}) == 1
    assert counted[-1][0] == counted[-1][1]
    assert all(done <= total for done, total in counted)


@pytest.mark.rule("E33", "E36", "E37", "E38", "E39", "E35")
def test_settings_of_the_noise_reach_the_picture(studio: Studio) -> None:
    jobs = {
        "plain": {},
        "nv": {"rng": "nv"},
        "ensd": {"ensd": 31337},
        "variation": {"variation_strength": 0.4, "variation_seed": 3},
        "resize": {"seed_resize_width": 32, "seed_resize_height": 96},
        "sgm": {"sgm_noise_multiplier": True},
        "seed": {"seed": 2},
    }
    pictures = {name: studio.one(sampler="Euler a", **job).tobytes() for name, job in jobs.items()}
    assert len(set(pictures.values())) == len(jobs)
    # ENSD begins after the first noise, so a sampler that draws no more does not hear of it
    assert np.array_equal(studio.one(ensd=31337), studio.one())
    # All of the variation is the other seed, none of it nothing
    assert np.array_equal(studio.one(variation_strength=1.0, variation_seed=9, sampler="Euler"), studio.one(seed=9, sampler="Euler"))
    assert np.array_equal(studio.one(variation_strength=0.0, variation_seed=9), studio.one())
    # A drawn variation seed is told
    studio.one(variation_strength=0.5)
    info = studio.recording.artifacts[0][3]["infotext"]
    assert "Variation seed: " in info
    assert "Variation seed: -1" not in info


@pytest.mark.rule("R32", "E33")
def test_R32_seed_0_and_strength_1_are_used_as_given(studio: Studio) -> None:
    first = studio.one(seed=0)
    assert studio.result.images[0].seed == 0
    assert np.array_equal(studio.one(seed=0), first)
    assert not np.array_equal(studio.one(seed=1), first)
    studio.one(PICTURE, strength=1.0)
    assert said(studio, "denoise")[-1] == (3, 3)
    assert '"strength":1.0' in Generate(strength=1.0).model_dump_json()


@pytest.mark.rule("E33")
def test_variations_share_a_seed_and_count_the_variation_seed(studio: Studio) -> None:
    pictures = studio.paint(batch_size=2, variation_strength=0.5, variation_seed=40)
    assert [record.seed for record in studio.result.images] == [1, 1]
    single = studio.one(variation_strength=0.5, variation_seed=41)
    assert int(np.abs(single.astype(int) - pictures[1].astype(int)).max()) <= 1


@pytest.fixture
def words(studio: Studio) -> Iterator[Path]:
    """Wildcards and styles of the studio's data folder."""
    folder = studio.places.data
    (folder / "wildcards").mkdir(exist_ok=True)
    (folder / "wildcards" / "colour.txt").write_text("red\ngreen\nblue\nyellow\nblack\nwhite\n")
    (folder / "styles.csv").write_text('name,prompt,negative_prompt\nphotograph,"{prompt}, photograph",blurry\n')
    yield folder
    (folder / "wildcards" / "colour.txt").unlink()
    (folder / "styles.csv").unlink()


@pytest.mark.rule("P50", "P54", "P55")
def test_every_picture_chooses_by_its_own_seed(studio: Studio, words: Path) -> None:
    fields = {"prompt": "a __colour__ {circle|square|star}", "negative": "{dark|bright}", "steps": 1}
    batch = studio.paint(seed=30, batch_size=3, batch_count=2, **fields)
    texts = [record.infotext.partition("\nSteps")[0] for record in studio.result.images]
    assert len(set(texts)) > 2
    assert "__" not in "".join(texts)
    for number in (1, 4):
        single = studio.one(seed=30 + number, **fields)
        assert studio.result.images[0].infotext.partition("\nSteps")[0] == texts[number]
        assert int(np.abs(single.astype(int) - batch[number].astype(int)).max()) <= 1
    # Variations of one seed share the choice; a wildcard seed chooses for all
    studio.paint(seed=30, batch_size=3, variation_strength=0.1, **fields)
    assert len({record.infotext.partition("\nNegative")[0] for record in studio.result.images}) == 1
    studio.paint(seed=30, batch_size=3, wildcard_seed=5, **fields)
    assert len({record.infotext.partition("\nNegative")[0] for record in studio.result.images}) == 1


@pytest.mark.rule("P57")
def test_styles_are_put_around_both_texts(studio: Studio, words: Path) -> None:
    styled = studio.one(prompt="a circle", negative="dark", styles=("photograph",))
    assert np.array_equal(styled, studio.one(prompt="a circle, photograph", negative="dark, blurry"))
    assert not np.array_equal(styled, studio.one(prompt="a circle", negative="dark"))
    from sfumato.engine.catalog import describe

    choices = describe(studio.places)["choices"]
    assert [row["value"] for row in choices["styles"]] == ["photograph"]
    assert {"Lanczos", "Latent", "Latent (nearest-exact)"} <= {row["value"] for row in choices["upscalers"]}


@pytest.mark.rule("P28", "P29")
def test_areas_decide_where_a_part_acts(studio: Studio) -> None:
    left, right = box_mask((0, 0, 32, 64)), box_mask((32, 0, 64, 64))
    fields = {"prompt": "a circle AND a square", "steps": 2}
    pictures = {name: studio.one(blobs={"area": encoded(area)}, areas=("area",), **fields) for name, area in {"left": left, "right": right}.items()}
    everywhere = studio.one(**fields)
    assert np.array_equal(studio.one(blobs={"area": encoded(box_mask((0, 0, 64, 64)))}, areas=("area",), **fields), everywhere)
    assert np.array_equal(studio.one(blobs={"area": encoded(box_mask((0, 0, 0, 0)))}, areas=("area",), **fields), studio.one(prompt="a circle", steps=2))
    assert not np.array_equal(pictures["left"], pictures["right"])
    soft = studio.one(blobs={"area": encoded(left)}, areas=("area",), area_feather=12, **fields)
    assert not np.array_equal(soft, pictures["left"])
    assert studio.one(blobs={"area": encoded(left)}, areas=("area",), hr_scale=1.5, **fields).shape == (96, 96, 3)


@pytest.mark.rule("E73")
def test_the_edges_of_a_tiled_picture_continue(studio: Studio) -> None:
    """A sampler of one step, rolled noise: the tiled picture rolls with it, another does not."""
    from sfumato.engine.noise import NoiseSource

    original = NoiseSource.__call__

    def rolled(self: NoiseSource) -> torch.Tensor:
        return original(self).roll(4, dims=-1)

    def both(**fields: object) -> tuple[np.ndarray, np.ndarray]:
        plain = studio.one(**fields)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(NoiseSource, "__call__", rolled)
            return np.roll(plain, 32, axis=1), studio.one(**fields)

    for tiling, same in (("x", True), ("both", True), ("y", False), ("none", False)):
        expected, found = both(tiling=tiling)
        far = int(np.abs(expected.astype(int) - found.astype(int)).max())
        assert (far <= 1) is same, tiling


@pytest.mark.rule("E107")
def test_the_vae_has_a_number_format_of_its_own(studio: Studio) -> None:
    plain = studio.one(dtype="fp32")
    half = studio.one(dtype="fp32", vae_dtype="bf16")
    model = studio.kept.get(Loaded).latest
    assert model is not None
    assert (model.unet.dtype, model.vae.dtype) == (torch.float32, torch.bfloat16)
    assert 0 < np.abs(plain.astype(int) - half.astype(int)).mean() < 8
    # The other one is still there, untouched
    assert np.array_equal(studio.one(dtype="fp32"), plain)
    assert not np.array_equal(studio.one(PICTURE, dtype="fp32", vae_dtype="bf16"), studio.one(PICTURE, dtype="fp32"))


@pytest.mark.rule("E51", "E104")
def test_previews_and_the_sampler_see_the_prediction_after_masks(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import sfumato.engine.telling as telling

    shown: list[torch.Tensor] = []
    original = telling.Watched.__call__

    def spy(self: telling.Watched, x: torch.Tensor, sigma: float) -> torch.Tensor:
        shown.append(original(self, x, sigma))
        return shown[-1]

    monkeypatch.setattr(telling.Watched, "__call__", spy)
    studio.one(PICTURE, MASK, mask_blur=0, pag_scale=3.0, cfg_rescale=0.7, strength=1.0)
    closed = [denoised[..., :2, :] for denoised in shown]
    assert len(shown) == 3
    assert all(torch.equal(rows, closed[0]) for rows in closed)
    assert not torch.equal(shown[0][..., 2:5, 2:6], shown[1][..., 2:5, 2:6])


@pytest.mark.rule("R50", "E8")
@pytest.mark.parametrize(("form", "media"), [("png", "image/png"), ("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_pictures_come_in_the_format_that_is_asked_for(studio: Studio, form: str, media: str) -> None:
    pictures = studio.paint(format=form, quality=80)
    assert [kind for _, kind, *_ in studio.recording.artifacts] == [media]
    assert pictures[0].shape == (64, 64, 3)


@pytest.mark.rule("M4", "M10", "M19")
def test_pictures_tell_what_they_were_made_from(studio: Studio) -> None:
    import hashlib
    import io

    from sfumato.imaging.picture import read_picture

    image, mask = encoded(PICTURE), encoded(MASK)
    studio.paint(blobs={"image": image, "mask": mask}, strength=0.6, hr_scale=1.5, hr_sampler="Euler a", hr_prompt="larger")
    data = studio.recording.artifacts[0][2]
    own = read_picture(data).own
    assert own is not None
    assert [(each["role"], each["sha256"]) for each in own["inputs"]] == [
        ("image", hashlib.sha256(image).hexdigest()),
        ("mask", hashlib.sha256(mask).hexdigest()),
    ]
    info = studio.result.images[0].infotext
    assert "Denoising strength: 0.7" in info or "Denoising strength: 0.6" in info
    assert "Hires sampler: Euler a" in info
    assert "Hires prompt: larger" in info
    assert Image.open(io.BytesIO(data)).size == (96, 96)


@pytest.mark.rule("E14")
def test_no_mode_opens_a_socket(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    studio.one(PICTURE, MASK, hr_scale=1.5, loops=2)
