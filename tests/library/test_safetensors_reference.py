"""The header check against files that the safetensors package itself writes."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sfumato.library.safetensors_header import read_header


@pytest.mark.rule("E10", "X3")
def test_files_of_the_safetensors_package_pass(tmp_path: Path) -> None:
    arrays = {"x.y": np.zeros((3, 4), np.float16), "ü": np.ones(7, np.int64), "scalar": np.array(3, np.float32), "empty": np.zeros((0, 2), np.float32)}
    save_file(arrays, tmp_path / "m.safetensors", metadata={"format": "pt"})
    read = read_header(tmp_path / "m.safetensors")
    assert {name: info.shape for name, info in read.tensors.items()} == {name: array.shape for name, array in arrays.items()}
    assert all(info.end - info.begin == arrays[name].nbytes for name, info in read.tensors.items())
    assert dict(read.metadata) == {"format": "pt"}
