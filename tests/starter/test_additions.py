"""The small files that ship beside the starter model: sizes, layouts, and that the engine has a place for every tensor of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.control.files import Base, check_fit, open_control
from sfumato.engine.control.kinds import KINDS
from sfumato.engine.device import Device
from sfumato.engine.embeddings import open_embeddings
from sfumato.engine.families import recognise
from sfumato.engine.family import Model, read_anew
from sfumato.engine.networks.file import open_network
from sfumato.engine.networks.hypernetworks import open_hypernetwork
from sfumato.library.safetensors_header import read_header
from tests.starter.painter import ROOT

MODELS = ROOT / "models"
LIMIT_BYTES = 3_000_000
LORA = MODELS / "loras" / "sfumato-hourglass.safetensors"
EMBEDDING = MODELS / "embeddings" / "sfumato-sunset.safetensors"
HYPERNETWORK = MODELS / "hypernetworks" / "sfumato-night.safetensors"
CONTROL = MODELS / "controlnet" / "sfumato-edges.safetensors"
# A tensor by which programs know the layout.
MARKS = {
    LORA: "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight",
    EMBEDDING: "emb_params",
    HYPERNETWORK: "64.0.linear.0.weight",
    CONTROL: "control_model.input_hint_block.0.weight",
}


@pytest.fixture(scope="module")
def model() -> Model:
    checkpoint = open_checkpoint(MODELS / "checkpoints" / "sfumato-starter.safetensors")
    return recognise(checkpoint).load(checkpoint, Device(torch.device("cpu"), torch.float32, "CPU"), lambda: None, read_anew)


@pytest.mark.parametrize("path", MARKS, ids=lambda path: path.stem)
def test_a_file_is_small_of_a_published_layout_and_says_how_it_was_made(path: Path) -> None:
    assert path.stat().st_size <= LIMIT_BYTES
    with safe_open(path, "pt") as file:
        keys = list(file.keys())
        assert MARKS[path] in keys
        assert {file.get_slice(key).get_dtype() for key in keys} == {"F16"}
        assert (ROOT / file.metadata()["sfumato.training"].removeprefix("python ")).is_file()


def test_every_tensor_of_the_lora_has_a_layer(model: Model) -> None:
    network = open_network(LORA, model)
    assert network.unmatched == 0
    assert {target.part for target in network.targets} == {"unet", "clip_l"}
    assert network.base_family == model.family.title


def test_the_embedding_is_two_vectors_of_the_text_encoders_width(model: Model) -> None:
    vectors = open_embeddings(EMBEDDING).vectors
    assert {word: {tuple(tensor.shape) for tensor in roles.values()} for word, roles in vectors.items()} == {EMBEDDING.stem: {(2, model.encoders[0].width)}}


def test_the_hypernetwork_reads_what_the_network_reads(model: Model) -> None:
    hypernetwork = open_hypernetwork(HYPERNETWORK)
    hypernetwork.check_fit(model)
    assert (hypernetwork.unmatched, hypernetwork.widths) == (0, (64,))


def test_the_control_net_fits_the_starter(model: Model) -> None:
    file = open_control(CONTROL, KINDS)
    check_fit(file, Base.of(model.checkpoint))
    assert len(file.weights) == len(read_header(CONTROL).tensors)
