"""The error tree: every leaf has its own code, and a sentence fit for a person."""

from __future__ import annotations

import inspect
import re

import pytest

from sfumato.protocol import errors

EXAMPLES: dict[type[errors.SfumatoError], errors.SfumatoError] = {
    type(error): error
    for error in (
        errors.Invalid([errors.Problem("steps", "Steps must be between 1 and 150.")]),
        errors.JobNotFound("a"),
        errors.ModelNotFound("checkpoint", "x", ["y"]),
        errors.CorruptFile("x.safetensors", "tensor 'a.b' ends behind the end of the file"),
        errors.PickleRefused("x.ckpt"),
        errors.ConversionRefused("x.ckpt", "it uses an operation that weights do not need (at byte 7)"),
        errors.ModelUnsupported("x", "a video model"),
        errors.ModelIncomplete("x", "text encoder", ["a", "b"]),
        errors.ModelIncompatible("x", "SD 1.5", "SDXL"),
        errors.ImageUnreadable("The mask", "it is empty"),
        errors.ChecksumDiffers("x"),
        errors.NameTaken("mix.safetensors", "checkpoints"),
        errors.FileBusy("mix.safetensors"),
        errors.SecretsUnusable("relay.json", "it is damaged", "Bring back a copy of it."),
        errors.TransferDamaged("mix.safetensors", "its SHA-256 differs"),
        errors.TransferIncomplete("mix.safetensors", 10, 20),
        errors.AddressRefused("nas.local", "it lies in its own network"),
        errors.DownloadFailed("example.org", "the server answers 404"),
        errors.QuotaExceeded("8 files"),
        errors.OutOfMemory("2048x2048"),
        errors.NumbersInvalid("decoding"),
        errors.MissingPackage("Depth maps", "timm"),
        errors.DiskFull("outputs", 12_000_000, 40_000_000),
        errors.NotWritable("outputs", "read-only file system"),
        errors.Forbidden("delete"),
        errors.TooManyJobs("200 jobs"),
        errors.SessionExpired("a"),
        errors.BadFrame("it is empty"),
        errors.UnsafeName("../x", "it climbs up"),
        errors.LinkRefused("The port of this endpoint must be a number from 1 to 65535."),
        errors.DeviceLost(),
        errors.WorkerDied("denoise", "it was ended by SIGKILL"),
        errors.EngineUnavailable("No module named 'torch'"),
        errors.PortTaken("127.0.0.1", 28888),
        errors.HostNotFound("gpu.example.org:443"),
        errors.PortRefused("gpu.example.org:443"),
        errors.NotASfumatoServer("gpu.example.org:443"),
        errors.SecretRefused("gpu.example.org:443"),
        errors.VersionRefused("gpu.example.org:443", "2 to 3", "1", theirs_is_newer=True),
        errors.CertificateRefused("gpu.example.org:443"),
        errors.ServerChanged("gpu.example.org:443"),
        errors.ServerUnsafe("gpu.example.org:443", "it sent a catalog of a million entries"),
        errors.LineLost("gpu.example.org:443", "nothing was heard for 30 s"),
        errors.Internal(detail="trace"),
    )
}


@pytest.mark.rule("R143", "D178")
@pytest.mark.parametrize("leaf", list(errors.leaves()), ids=lambda leaf: leaf.__name__)
def test_every_leaf_has_a_sentence_for_a_person(leaf: type[errors.SfumatoError]) -> None:
    message = EXAMPLES[leaf].message
    print(f"{leaf.code}: {message}")
    assert re.match(r"^['A-Z]", message)
    assert message.endswith(".")
    assert "!" not in message
    assert "please" not in message.lower()
    assert "Traceback" not in message
    assert leaf.__name__ not in message
    assert "Error" not in message


def test_codes_are_unique_and_drawn_in_the_tree() -> None:
    drawing = inspect.getdoc(errors)
    assert drawing is not None
    found = list(errors.leaves())
    assert len({leaf.code for leaf in found}) == len(found)
    for leaf in found:
        assert re.search(rf"── {leaf.__name__} +{leaf.code} +{leaf.http_status}", drawing), leaf.__name__
