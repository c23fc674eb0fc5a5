"""A process that is killed in the middle of a transfer, wherever that is, leaves no file under its name or the whole one, and the next run ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfumato.library.transfers.quarantine import FOLDER, Quarantine
from sfumato.protocol.errors import NameTaken
from tests.support.killed_transfers import MODEL, move
from tests.support.serving import environment
from tests.support.transfer_context import files_under
from tests.support.web_server import LocalWeb, Page

KILLS = 24
NAME = "checkpoints/mix.safetensors"


def named(root: Path) -> list[str]:
    """Files that a scan would find, or anything beside them."""
    return [path for path in files_under(root / "models") if not path.startswith(FOLDER)]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="processes are not forked there")
@pytest.mark.rule("R55", "N51", "N52")
@pytest.mark.parametrize("kind", ["upload", "download"])
def test_whoever_is_killed_leaves_no_file_or_the_whole_one(tmp_path: Path, kind: str) -> None:
    web = LocalWeb()
    web.put("127.0.0.1/mix.safetensors", Page(MODEL, etag='"one"'))
    address = f"http://127.0.0.1:{web.port()}/mix.safetensors"
    try:
        words = [sys.executable, "-m", "tests.support.killed_transfers", str(tmp_path), str(KILLS), kind, address]
        done = subprocess.run(words, env=environment(tmp_path / "data"), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        steps, points = map(int, done.stdout.split())
        assert steps > points >= 20
        assert (tmp_path / "whole/models" / NAME).read_bytes() == MODEL
        killed = [tmp_path / str(number) for number in range(points)]
        outcomes = set()
        for root in killed:
            assert named(root) in ([], [NAME]), root
            if named(root):
                assert (root / "models" / NAME).read_bytes() == MODEL, root
            outcomes.add((bool(named(root)), any(path.endswith(".part") for path in files_under(root / "models"))))
            # The same request ends it; a download that knows no checksum cannot know that the file is its own, and leaves it alone.
            if named(root) and kind == "download":
                with pytest.raises(NameTaken):
                    move(root, kind, address)
            else:
                move(root, kind, address)
            assert (root / "models" / NAME).read_bytes() == MODEL
            assert named(root) == [NAME]
        # Some were killed before they had a byte, some with a part, some behind the last step.
        assert {(False, False), (False, True)} <= outcomes
        assert any(is_named for is_named, _ in outcomes)
    finally:
        web.close()


@pytest.mark.rule("R55", "N51")
def test_a_file_that_got_its_name_before_its_writer_was_killed_is_never_written_to_again(tmp_path: Path) -> None:
    quarantine, kept = Quarantine(tmp_path, "owner"), tmp_path / "mix.safetensors"
    with quarantine.part("a" * 64, 0, "mix") as part:
        part.write(MODEL)
        os.link(part.path, kept)
    # The page has changed meanwhile: the next run would begin anew.
    with quarantine.part("a" * 64, 0, "mix") as part:
        assert part.done == 0
        part.restart()
        part.write(b"other")
    assert kept.read_bytes() == MODEL
    with quarantine.part("a" * 64, 0, "mix") as part:
        assert part.done == len(b"other")
