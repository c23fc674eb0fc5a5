"""The engine's part of the catalog: what there is, and why something cannot be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sfumato.engine.catalog import describe
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
    assert [row["value"] for row in catalog["choices"]["schedules"]] == ["automatic", "uniform", "karras"]
    assert catalog["device"]["kind"] in ("cpu", "cuda", "mps")
    assert catalog["versions"].keys() == {"sfumato", "torch", "diffusers", "transformers"}
