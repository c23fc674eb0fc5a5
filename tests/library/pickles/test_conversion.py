"""The converter, on files that torch.save wrote and on pickles that attack."""

from __future__ import annotations

import collections
import hashlib
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.library.pickles import isolated
from sfumato.library.pickles.conversion import SOURCE_HASH, convert
from sfumato.library.pickles.machine import OPCODE_LIMIT, Refused, read_pickle
from sfumato.library.pickles.tensors import VALUES
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import ConversionRefused, Invalid, ModelUnsupported, Stopped
from sfumato.protocol.messages import Failed, Finished, Submit
from sfumato.transport.endpoint import InProcess
from tests.support.listening import Listening


class _Unknown:
    """Something a trainer puts beside the weights."""

    def __init__(self) -> None:
        self.epochs = 3


def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 8, generator=generator)
    return {
        "model.float": base,
        "model.half": base.half(),
        "model.bfloat": base.bfloat16(),
        "model.transposed": base.T,
        "model.slice": base[1:5, 2:7],
        "model.strided": base[::2, ::3],
        "model.scalar": torch.tensor(3.5),
        "model.empty": torch.zeros(0, 4),
        "model.ids": torch.arange(77)[None],
        "model.flags": torch.tensor([True, False]),
        "model.parameter": torch.nn.Parameter(base[0]),
    }


def _same(path: Path, expected: dict[str, torch.Tensor]) -> None:
    found = load_file(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor.detach()), name


@pytest.mark.rule("E11", "X4")
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saved_becomes_the_same_tensors(tmp_path: Path, zipped: bool) -> None:
    source = tmp_path / "model.ckpt"
    weights = _weights()
    torch.save({"state_dict": weights, "epoch": 7, "callbacks": _Unknown()}, source, _use_new_zipfile_serialization=zipped)
    before = hashlib.sha256(source.read_bytes()).hexdigest()

    converted = convert(source)

    assert converted.path == tmp_path / "model.safetensors" and converted.tensors == len(weights)
    _same(converted.path, weights)
    assert read_header(converted.path).metadata[SOURCE_HASH] == before == converted.source_sha256
    assert converted.left_out == ("callbacks", "epoch")
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    assert any("_Unknown" in name for name in converted.placeholders)


def test_embeddings_and_upscalers_keep_their_names(tmp_path: Path) -> None:
    vector = torch.randn(3, 768)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": vector}, "name": "x", "step": 100}, tmp_path / "x.pt")
    torch.save({"params_ema": {"conv.weight": vector}}, tmp_path / "up.pth")
    _same(convert(tmp_path / "x.pt").path, {"string_to_param.*": vector})
    _same(convert(tmp_path / "up.pth").path, {"conv.weight": vector})


@pytest.mark.rule("E11", "E90")
def test_plain_values_beside_the_weights_are_kept_in_the_header(tmp_path: Path) -> None:
    layers = {"linear.0.weight": torch.randn(4, 4), "linear.0.bias": torch.randn(4)}
    plain = {"activation_func": "swish", "is_layer_norm": True, "layer_structure": [1, 2, 1], "dropout": (0.0, 0.3), "step": 7, "optional_info": None}
    rest = {"nested": {"a": 1}, "text": "x" * 2000, "huge": 1 << 70, "odd": float("nan"), "long": list(range(100)), "deep": [[1]], 3: "no name"}
    torch.save({768: (layers, layers), **plain, **rest}, tmp_path / "hyper.pt")
    converted = convert(tmp_path / "hyper.pt")
    header = read_header(converted.path)
    assert set(header.tensors) == {f"768.{side}.{name}" for side in (0, 1) for name in layers}
    assert json.loads(header.metadata[VALUES]) == {**plain, "dropout": [0.0, 0.3]}
    assert "activation_func" in converted.left_out and "nested.a" in converted.left_out


def test_parameters_of_a_module_are_found(tmp_path: Path) -> None:
    vector = torch.randn(2, 8)
    torch.save({"string_to_param": torch.nn.ParameterDict({"*": vector})}, tmp_path / "x.bin")
    converted = convert(tmp_path / "x.bin")
    _same(converted.path, {"string_to_param.*": vector})


class _Runs:
    def __init__(self, function: object, *arguments: object) -> None:
        self._what = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._what  # type: ignore[return-value]


def _hostile(marker: Path) -> dict[str, bytes]:
    """Pickles whose unpickling would make `marker`."""
    command = f"touch {marker}"
    return {
        "system": pickle.dumps(_Runs(os.system, command), 2),
        "popen": pickle.dumps(_Runs(subprocess.Popen, ["touch", str(marker)]), 2),
        "eval": pickle.dumps(_Runs(eval, f"open({str(marker)!r}, 'w')"), 2),
        "dotted": b"\x80\x04\x8c\x08builtins\x8c\x0c__import__.x\x93.",
        "nested global": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\n(X\x05\x00\x00\x00touchtRK\x00))\x89NtR.",
        "storage from bytes": pickle.dumps(_Runs(torch.storage._load_from_bytes, b"x"), 2),
        "ordered dict of calls": pickle.dumps(collections.OrderedDict(weight=_Runs(os.system, command)), 2),
        "getattr": b"\x80\x02cbuiltins\ngetattr\n(cos\npath\nX\x06\x00\x00\x00systemtR.",
        "extension": b"\x80\x02\x82\x01.",
        "instance": b"(S'touch'\nios\nsystem\n.",
    }


def _archive(path: Path, data: bytes, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in entries.items():
            archive.writestr(f"archive/data/{name}", content)
    return path


@pytest.mark.rule("R98", "E11", "X1", "X4")
def test_R98_hostile_pickles_run_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for name, data in _hostile(marker).items():
        for kind in ("zip", "bare"):
            source = tmp_path / f"{name}-{kind}.ckpt"
            if kind == "zip":
                _archive(source, data)
            else:
                source.write_bytes(data if data[:1] == b"\x80" else b"\x80\x02" + data)
            with pytest.raises(ConversionRefused, match="was not converted"):
                convert(source)
            assert not marker.exists(), name
            assert not source.with_suffix(".safetensors").exists()
    assert not list(tmp_path.glob(".*")), "nothing is left behind"


@pytest.mark.rule("X4", "X13")
@pytest.mark.parametrize(
    ("what", "size", "stride", "offset"),
    [
        ("larger", (1000,), (1,), 0),
        ("expanded", (1 << 20, 1 << 20), (0, 0), 0),
        ("behind", (4,), (1,), 90),
        ("absurd", (1 << 62,), (1,), 0),
        ("stride", (4,), (1 << 40,), 0),
    ],
)
def test_a_tensor_never_leaves_its_storage(tmp_path: Path, what: str, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> None:
    buffer = io.BytesIO()
    stored = pickle.Pickler(buffer, 2)
    storage = ("storage", torch.FloatStorage, "0", "cpu", 16)
    stored.persistent_id = lambda item: storage if isinstance(item, _Runs) and item._what[0] is None else None  # type: ignore[method-assign]
    stored.dump({"w": _Runs(torch._utils._rebuild_tensor_v2, _Runs(None), offset, size, stride, False, collections.OrderedDict())})
    source = _archive(tmp_path / f"{what}.pt", buffer.getvalue(), **{"0": bytes(64)})
    with pytest.raises(ConversionRefused):
        convert(source)


@pytest.mark.rule("X4")
def test_archives_that_torch_does_not_write_are_refused(tmp_path: Path) -> None:
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}." * 100)
    with pytest.raises(ConversionRefused, match="packed"):
        convert(packed)
    torch.save({"w": torch.randn(64, 64)}, tmp_path / "flipped.pt")
    data = bytearray((tmp_path / "flipped.pt").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "flipped.pt").write_bytes(data)
    with pytest.raises(ConversionRefused, match="checksum"):
        convert(tmp_path / "flipped.pt")


@pytest.mark.rule("X4", "E10")
def test_mutated_files_end_in_a_sentence(tmp_path: Path) -> None:
    """In this process, for speed: the interpreter raises `Refused` or reads on, whatever the bytes."""
    buffer = io.BytesIO()
    torch.save(_weights(), buffer, _use_new_zipfile_serialization=False)
    original = buffer.getvalue()[:4000]
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    for _ in range(3000):
        data = bytearray(original)
        for _ in range(generator.randint(1, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        place = 0
        try:
            while place < len(data):
                place += read_pickle(memoryview(bytes(data[place:]))).length
        except Refused:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


def test_nesting_and_endless_pickles_are_bounded(tmp_path: Path) -> None:
    assert OPCODE_LIMIT < 1 << 26
    nested = _archive(tmp_path / "nested.pt", b"\x80\x02" + b"(" * 1_000_000 + b"t" * 999_999 + b".")
    with pytest.raises(ConversionRefused):
        convert(nested)
    doubling = b"\x80\x02]q\x00" + b"".join(b"]q" + bytes([i + 1]) + b"(" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(60)) + b"."
    with pytest.raises(ConversionRefused):
        convert(_archive(tmp_path / "doubling.pt", doubling))


@pytest.mark.rule("X5")
def test_the_reader_process_cannot_open_connect_start_or_import(tmp_path: Path) -> None:
    """The hook itself, in a process as the converter starts it."""
    for attempt in ("open('/etc/hostname')", "__import__('socket').socket()", "__import__('os').system('true')", "__import__('wave')", "eval('1')"):
        code = (
            f"import sys; sys.path.insert(0, {str(Path(isolated.__file__).parents[3])!r})\n"
            "from sfumato.library.pickles import isolated\n"
            "isolated._give_up({'memory_bytes': 1 << 32, 'output_bytes': 1 << 20, 'seconds': 10})\n"
            f"{attempt}\n"
            "print('reached')"
        )
        done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, timeout=60, check=False, env={})
        assert b"reached" not in done.stdout and done.returncode != 0, attempt


def test_a_name_that_is_taken_and_a_file_that_is_none_are_refused_before_any_work(tmp_path: Path) -> None:
    source = tmp_path / "a.ckpt"
    torch.save({"w": torch.zeros(2)}, source)
    (tmp_path / "a.safetensors").write_bytes(b"precious")
    with pytest.raises(Invalid, match="exists already"):
        convert(source)
    assert (tmp_path / "a.safetensors").read_bytes() == b"precious"
    (tmp_path / "text.ckpt").write_bytes(struct.pack("<Q", 3) + b"hello")
    for name in ("text.ckpt", "a.safetensors"):
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 3) + b"hello")
        with pytest.raises(ModelUnsupported, match=rf"'{name}' looks like no pickled model; Sfumato cannot convert it"):
            convert(tmp_path / name)


def test_a_cancelled_conversion_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.ckpt"
    torch.save({"w": torch.zeros(1 << 20)}, source)
    calls = iter(range(100))

    def check() -> None:
        if next(calls) == 4:
            raise Stopped

    with pytest.raises(Stopped):
        convert(source, check=check)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt"]


def test_the_job_converts_what_the_catalog_lists(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"w": torch.zeros(2)}, folder / "old.ckpt")
    places = Places(data=tmp_path, models=(tmp_path / "models",), outputs=tmp_path / "outputs")
    endpoint = InProcess(filled([REGISTRAR]), places)
    heard = Listening()
    endpoint.open(heard.hear)
    try:
        endpoint.send(Submit(job="1", kind="convert", params={"file": "old.ckpt"}))
        ending = heard.ending("1")
        assert isinstance(ending, Finished) and ending.result["name"] == "old.safetensors"
        endpoint.send(Submit(job="2", kind="convert", params={"file": "odd.ckpt"}))
        missing = heard.ending("2")
        assert isinstance(missing, Failed) and missing.code == "model_not_found" and missing.path == "file" and "old.ckpt" in missing.message
    finally:
        endpoint.close()
