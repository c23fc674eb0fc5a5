"""The engine's part of the catalog: what there is, and why something cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bson
import pytest
import torch
from safetensors.torch import save_file

from sfumato.engine.catalog import describe, find_components, find_model
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import SCHEDULES
from sfumato.engine.tasks import catalog as look
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.protocol.errors import ModelNotFound
from sfumato.protocol.requests.catalog import Catalog
from tests.support.hypernetwork_files import hypernetwork_modules, write_hypernetwork
from tests.support.network_files import write_network
from tests.support.tiny_models import TinyFiles, write_component


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
    assert [name for name, row in samplers.items() if row["ignores_schedule"]] == [row.name for row in SAMPLERS if row.grid]
    schedules = {row["value"]: row for row in catalog["choices"]["schedules"]}
    assert list(schedules) == ["automatic", *(row.name for row in SCHEDULES)]
    assert schedules["custom"]["parameters"] == ["sigmas"]
    assert catalog["device"]["kind"] in ("cpu", "cuda", "mps")
    assert catalog["versions"].keys() == {"sfumato", "torch", "diffusers", "transformers"}


@pytest.mark.rule("E9", "E16", "E19", "E68")
def test_catalog_names_parts_and_what_is_missing(tmp_path: Path, tiny_files: TinyFiles) -> None:
    models = tmp_path / "models"
    (models / "checkpoints").mkdir(parents=True)
    shutil.copy(tiny_files.single("sd1", 9), models / "checkpoints" / "inpainting.safetensors")
    write_component(tiny_files.modules("sdxl"), "unet", models / "unet" / "alone.safetensors")
    write_component(tiny_files.modules("sdxl"), "vae", models / "VAE" / "xl-vae.safetensors")
    write_component(tiny_files.modules("sdxl"), "clip_l", models / "clip" / "clip_l.safetensors")
    write_component(tiny_files.modules("sdxl"), "clip_g", models / "text_encoders" / "clip_g.safetensors")
    write_component(tiny_files.modules("sdxl"), "clip_g", models / "vae" / "no-vae.safetensors")
    choices = describe(Places(tmp_path, tmp_path / "outputs", (models,)))["choices"]
    rows = {row["value"]: (row["family"], row["variant"], row["missing"], row["state"]) for row in choices["models"]}
    assert rows == {
        "alone": ("Stable Diffusion XL", "base", ["vae", "clip", "clip_2"], "ready"),
        "inpainting": ("Stable Diffusion 1", "inpainting", [], "ready"),
    }
    assert {row["value"]: row["encoders"] for row in choices["models"]} == {"alone": ["clip_l", "clip_g"], "inpainting": ["clip_l"]}
    vaes = {row["value"]: row for row in choices["vaes"]}
    assert (vaes["xl-vae"]["state"], vaes["xl-vae"]["channels"]) == ("ready", 4)
    assert (vaes["no-vae"]["state"], "VAE" in vaes["no-vae"]["reason"]) == ("unusable", True)
    assert {row["value"]: row["widths"] for row in choices["text_encoders"]} == {"clip_g": [32], "clip_l": [32]}
    # A model that misses parts is not what an empty choice means.
    folders = (models,)
    assert find_model(folders, "").name == "inpainting.safetensors"
    found = find_components(folders, {"vae": "xl-vae", "clip": "clip_l", "clip_2": ""})
    assert {field: path.name for field, path in found.items()} == {"vae": "xl-vae.safetensors", "clip": "clip_l.safetensors"}
    assert find_components(folders, {"vae": "inpainting"})["vae"].name == "inpainting.safetensors"
    with pytest.raises(ModelNotFound, match=r"No VAE named 'xl-vea'.*Closest: 'xl-vae'") as caught:
        find_components(folders, {"vae": "xl-vea"})
    assert caught.value.path == "vae"


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


@pytest.mark.rule("R142", "R58")
def test_R142_networks_are_listed_with_their_kind_and_the_family_they_are_for(tmp_path: Path, tiny_files: TinyFiles) -> None:
    models = tmp_path / "models"
    sd1, sdxl = {"ss_base_model_version": "sd_v1"}, {"ss_base_model_version": "sdxl_base_v1-0"}
    write_network(tiny_files.modules("sd1"), models / "loras" / "moss.safetensors", "loha", metadata=sd1)
    write_network(tiny_files.modules("sdxl"), models / "Lora" / "deep" / "moss.safetensors", ends=("to_q",), metadata=sdxl)
    write_network(tiny_files.modules("sd1"), models / "LyCORIS" / "ash.safetensors", "oft", metadata=sd1)
    write_hypernetwork(hypernetwork_modules((768,)), models / "hypernetworks" / "ink.safetensors")
    (models / "embeddings").mkdir()
    save_file({"emb_params": torch.zeros(3, 768)}, models / "embeddings" / "word.safetensors")
    save_file({"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}, models / "embeddings" / "wide.safetensors")
    (models / "loras" / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    shutil.copy(models / "embeddings" / "word.safetensors", models / "loras" / "stray.safetensors")
    places = Places(tmp_path, tmp_path / "outputs", (models,))
    for _ in range(2):  # the second time from what was kept
        choices = describe(places)["choices"]
        loras = {row["value"]: row for row in choices["loras"]}
        assert {name: (row["kind"], row["family"]) for name, row in loras.items() if row["state"] == "ready"} == {
            "moss": ("LoHa", "Stable Diffusion 1"),
            "deep/moss": ("LoRA", "Stable Diffusion XL"),
            "ash": ("OFT", "Stable Diffusion 1"),
        }
        assert "pickle" in loras["old"]["reason"]
        assert "as a LoRA" in loras["stray"]["reason"]
        assert [(row["value"], row["family"]) for row in choices["hypernetworks"]] == [("ink", "Stable Diffusion 1")]
        assert {row["value"]: (row["family"], row["vectors"]) for row in choices["embeddings"]} == {
            "word": ("Stable Diffusion 1", 3),
            "wide": ("Stable Diffusion XL", 2),
        }


@pytest.mark.rule("D122")
def test_a_job_looks_again_while_the_engine_runs(tmp_path: Path, single_file: Path) -> None:
    place = tmp_path / "models" / "checkpoints" / "late.safetensors"
    place.parent.mkdir(parents=True)
    context = JobContext("look", Places(tmp_path, tmp_path / "outputs", (tmp_path / "models",)), Silent(), Kept(), {})
    assert look.run(Catalog(), context).choices["models"] == []
    shutil.copy(single_file, place)
    assert [row["value"] for row in look.run(Catalog(), context).choices["models"]] == ["late"]


class Silent:
    """Nobody listens."""

    def progress(self, **_: object) -> None: ...

    def artifact(self, **_: object) -> None: ...
