"""The engine's part of the catalog: what there is, and why something cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bson
import pytest

from sfumato.engine.catalog import describe
from sfumato.engine.schedules import SCHEDULES
from sfumato.jobs.places import Places


@pytest.mark.rule("E16", "E46")
def test_catalog_names_models_samplers_schedules_and_devices(tmp_path: Path, single_file: Path, folder: Path) -> None:
    models = tmp_path / "models" / "checkpoints"
    models.mkdir(parents=True)
    shutil.copy(single_file, models / "good.safetensors")
    shutil.copytree(folder, models / "good-folder")
    (models / "bad.safetensors").write_bytes(single_file.read_bytes()[:1000])
    (models / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(50))
    catalog = describe(Places(tmp_path, tmp_path / "outputs", (tmp_path / "models",)))
    rows = {row["value"]: row for row in catalog["choices"]["models"]}
    assert {name: row["state"] for name, row in rows.items()} == {"bad": "unusable", "good": "ready", "good-folder": "ready", "old": "unusable"}
    assert (rows["good"]["family"], rows["good"]["width"], rows["good"]["height"]) == ("Stable Diffusion 1", 64, 64)
    assert "damaged" in rows["bad"]["reason"]
    assert "pickle" in rows["old"]["reason"]
    samplers = {row["value"]: row for row in catalog["choices"]["samplers"]}
    assert samplers["Euler a"]["parameters"] == ["eta", "s_noise"]
    assert samplers["DPM++ 2M"]["default_schedule"] == "karras"
    schedules = {row["value"]: row for row in catalog["choices"]["schedules"]}
    assert list(schedules) == ["automatic", *(row.name for row in SCHEDULES)]
    assert schedules["custom"]["parameters"] == ["sigmas"]
    assert catalog["device"]["kind"] in ("cpu", "cuda", "mps")
    assert catalog["versions"].keys() == {"sfumato", "torch", "diffusers", "transformers"}


@pytest.mark.rule("X2")
@pytest.mark.parametrize(
    ("key", "value"), [("modelspec.title", "\ud800 \x1b[31mred"), ("modelspec.resolution", f"{'9' * 5000}x64")], ids=["title", "resolution"]
)
def test_no_text_of_a_file_can_spoil_the_catalog(tmp_path: Path, single_file: Path, key: str, value: str) -> None:
    models = tmp_path / "models" / "checkpoints"
    models.mkdir(parents=True)
    raw = single_file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.dumps(json.loads(raw[8 : 8 + length]) | {"__metadata__": {key: value}}).encode()
    (models / "odd.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])
    (row,) = describe(Places(tmp_path, tmp_path / "outputs", (tmp_path / "models",)))["choices"]["models"]
    assert row["state"] == "ready"
    assert row["label"].isprintable()
    bson.encode(row)


def test_a_file_nobody_foresaw_is_listed_and_the_others_stay(tmp_path: Path, single_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = tmp_path / "models" / "checkpoints"
    models.mkdir(parents=True)
    shutil.copy(single_file, models / "good.safetensors")
    folder = models / "odd"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "unet").mkdir()
    shutil.copy(single_file, folder / "unet" / "diffusion_pytorch_model.safetensors")
    (folder / "unet" / "config.json").write_text('{"sample_size": ' + "9" * 4000 + "}")
    rows = {row["value"]: row for row in describe(Places(tmp_path, tmp_path / "outputs", (tmp_path / "models",)))["choices"]["models"]}
    assert rows["good"]["state"] == "ready"
    assert rows["odd"]["state"] == "unusable"
    assert rows["odd"]["reason"]
