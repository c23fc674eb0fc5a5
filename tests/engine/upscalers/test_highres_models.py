"""A model enlarges before the highres pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.device import choose
from sfumato.engine.upscalers.enlarging import Enlarger
from sfumato.engine.upscalers.kept import KeptImageNetworks
from sfumato.engine.upscalers.reading import open_network
from sfumato.imaging.picture import read_picture
from sfumato.protocol.errors import CorruptFile, Invalid, ModelNotFound, PickleRefused, Stopped
from tests.support.studio import Studio
from tests.support.tiny_upscalers import rrdb, write


@pytest.fixture
def upscaler(studio: Studio) -> Path:
    return write(rrdb(2).state_dict(), studio.files.root / "upscalers" / "2x-tiny.safetensors")


@pytest.mark.rule("E75", "E77", "E74")
def test_a_model_enlarges_before_the_highres_pass(studio: Studio, upscaler: Path) -> None:
    fields = {"hr_scale": 1.5, "hr_upscaler": "2x-tiny", "steps": 2}
    plain = Image.fromarray(studio.one(steps=2))
    larger = studio.one(**fields, hr_strength=0)
    expected = Enlarger(open_network(upscaler, choose("fp32", "cpu")))(plain, (96, 96))
    assert np.array_equal(larger, np.asarray(expected))
    painted = studio.one(**fields)
    assert painted.shape == (96, 96, 3)
    assert "Hires upscaler: 2x-tiny" in studio.result.images[0].infotext
    own = read_picture(studio.recording.artifacts[0][2]).own
    assert own is not None
    assert [(used["name"], used["bytes"]) for used in own["models"] if used["role"] == "upscaler"] == [("2x-tiny", upscaler.stat().st_size)]
    assert not np.array_equal(painted, studio.one(**{**fields, "hr_upscaler": "Lanczos"}))
    # and the same holds with the picture's size given
    assert np.array_equal(studio.one(hr_width=96, hr_height=96, hr_upscaler="2x-tiny", steps=2), painted)


def test_an_upscaler_is_read_once_and_its_weights_never_change(studio: Studio, upscaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = studio.kept.get(KeptImageNetworks)
    kept.clear()
    assert kept.nbytes == 0
    fields = {"hr_scale": 1.5, "hr_upscaler": "2x-tiny", "hr_strength": 0, "steps": 2}
    first = studio.one(**fields)
    held = kept.network(upscaler, choose("auto"), lambda: None)
    before = {name: tensor.clone() for name, tensor in held.module.state_dict().items()}
    monkeypatch.setattr("sfumato.engine.upscalers.kept.open_network", None)
    assert np.array_equal(studio.one(**fields), first)
    with pytest.raises(Stopped):
        studio.paint(**fields, cancel_at=("upscale", 0))
    assert all(torch.equal(tensor, before[name]) for name, tensor in held.module.state_dict().items())
    assert kept.nbytes == sum(tensor.nbytes for tensor in before.values())


@pytest.mark.rule("E76")
def test_highres_alone_with_a_model_equals_the_full_job(studio: Studio, upscaler: Path) -> None:
    fields = {"hr_scale": 1.5, "hr_upscaler": "2x-tiny", "seed": 7}
    first = Image.fromarray(studio.one(seed=7))
    assert np.array_equal(studio.one(first, **fields, hr_only=True), studio.one(**fields))


@pytest.mark.rule("E8", "E118")
def test_each_tile_is_told_and_can_be_cancelled(studio: Studio, upscaler: Path) -> None:
    fields = {"hr_scale": 4, "hr_upscaler": "2x-tiny", "hr_strength": 0, "steps": 2, "width": 128, "height": 64}
    studio.one(**fields)
    told = [said for said in studio.recording.progress_made if said.stage == "upscale"]
    # One tile, then two by one at twice the size
    assert [said.done for said in told] == [0, 1, 2, 3]
    assert {said.total for said in told} == {3}
    with pytest.raises(Stopped):
        studio.paint(**fields, cancel_at=("upscale", 1))
    assert max(said.done for said in studio.recording.progress_made if said.stage == "upscale") == 1
    # Every picture of a batch is enlarged for itself
    studio.paint(**{**fields, "batch_size": 2, "hr_scale": 2})
    assert [said.total for said in studio.recording.progress_made if said.stage == "upscale"] == [2, 2, 2]


@pytest.mark.rule("E120", "E77")
def test_an_upscaler_that_is_not_there_or_may_not_be_opened_is_told_before_anything_is_painted(studio: Studio, upscaler: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"No upscaler named '2x-tinny'.*Closest: '2x-tiny'") as absent:
        studio.one(hr_scale=1.5, hr_upscaler="2x-tinny")
    assert absent.value.path == "hr_upscaler"
    with pytest.raises(Invalid, match="No upscaler named '2x-tinny'"):
        studio.one(hr_scale=1.5, hr_upscaler="2x-tinny", hr_sampler="Eulr")
    torch.save(rrdb(2).state_dict(), upscaler.with_name("pickled.pth"))
    with pytest.raises(PickleRefused, match="sfumato convert") as refused:
        studio.one(hr_scale=1.5, hr_upscaler="pickled")
    assert refused.value.path == "hr_upscaler"
    (upscaler.parent / "broken.safetensors").write_bytes(upscaler.read_bytes()[:-10])
    with pytest.raises(CorruptFile) as corrupt:
        studio.one(hr_scale=1.5, hr_upscaler="broken")
    assert corrupt.value.path == "hr_upscaler"
    assert "denoise" not in studio.recording.stages()
