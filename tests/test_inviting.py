"""Who is let in by `sfumato serve`, and what its flags may not ask for."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from sfumato.cli import build_parser
from sfumato.inviting import Wanted, invite
from sfumato.library.identities import FILE, load
from sfumato.protocol.errors import Invalid, SecretsUnusable, SfumatoError
from sfumato.protocol.secret import Secret
from sfumato.remote_options import CONNECT_VARIABLE, link_of, serving_of
from sfumato.transport.keys import ScryptParameters, psk_of

OWNER = Wanted("owner", "owner")
HERE = "127.0.0.1"


@pytest.mark.rule("N10", "N61")
def test_every_run_has_keys_of_its_own_and_nothing_of_them_is_stored(tmp_path: Path) -> None:
    salt, (first, guest) = invite([OWNER, Wanted("Ann", "guest")], tmp_path, address=HERE)
    again, (second,) = invite([OWNER], tmp_path, address=HERE)
    assert salt == again == load(tmp_path).salt
    assert load(tmp_path).entries == ()
    assert first.secret is not None
    assert guest.secret is not None
    assert len({first.identity.psk, guest.identity.psk, second.identity.psk}) == 3
    assert len({first.identity.name, guest.identity.name, second.identity.name}) == 3
    assert first.link("ws://127.0.0.1:1/relay").secret == first.secret


@pytest.mark.rule("N11", "N42")
def test_the_same_password_is_the_same_identity_after_a_restart(tmp_path: Path) -> None:
    wanted = [Wanted("owner", "owner", Secret("seven wet owls at noon"))]
    salt, (first,) = invite(wanted, tmp_path, address=HERE)
    _, (second,) = invite(wanted, tmp_path, address=HERE)
    assert first.identity == second.identity
    assert first.identity.psk == second.identity.psk == psk_of(Secret("seven wet owls at noon"), salt, ScryptParameters())
    assert first.secret is None
    assert load(tmp_path).entries == ()


@pytest.mark.rule("N11", "N12")
def test_what_is_kept_is_used_again_unless_it_is_too_weak_for_where_it_is_used(tmp_path: Path) -> None:
    weak = Wanted("owner", "owner", Secret("owl"))
    _, (first, key) = invite([weak, Wanted("Ann", "guest")], tmp_path, address=HERE, keep=True)
    _, (second, kept_key) = invite([OWNER, Wanted("Ann", "guest")], tmp_path, address=HERE, keep=True)
    assert (second.identity, second.identity.psk, second.secret) == (first.identity, first.identity.psk, None)
    assert (kept_key.identity, kept_key.identity.psk, kept_key.secret) == (key.identity, key.identity.psk, None)
    assert b"owl" not in (tmp_path / FILE).read_bytes()
    with pytest.raises(Invalid, match="kept for 'owner' is too weak for other machines"):
        invite([OWNER], tmp_path, address="0.0.0.0", keep=True)
    with pytest.raises(Invalid, match="kept for 'owner' is too weak for other machines"):
        invite([OWNER], tmp_path, address=HERE, tunnel="cloudflared", keep=True)
    _, (guest,) = invite([Wanted("Ann", "guest")], tmp_path, address="0.0.0.0", keep=True)  # a key is good enough for everywhere
    assert guest.identity.psk == key.identity.psk
    with pytest.raises(Invalid, match=r"'owner' is kept as owner in relay\.json"):
        invite([Wanted("owner", "guest")], tmp_path, address=HERE, keep=True)
    _, (fresh,) = invite([OWNER], tmp_path, address=HERE)  # without --keep the file is left alone
    assert fresh.identity.psk != first.identity.psk
    assert load(tmp_path).find("owner") is not None


@pytest.mark.rule("N12", "X29")
@pytest.mark.parametrize(
    ("password", "how", "words"),
    [
        ("short", {"address": "0.0.0.0"}, "too short for other machines"),
        ("password1234", {"address": "::"}, "among those that are tried first"),
        ("elevenchars", {"address": HERE, "public": "wss://studio.example.org:443/relay"}, "too short for other machines"),
        ("elevenchars", {"address": HERE, "tunnel": "cloudflared"}, "too short for other machines"),
    ],
)
def test_a_password_that_could_be_guessed_is_refused_where_others_can_try(tmp_path: Path, password: str, how: dict[str, str], words: str) -> None:
    wanted = [Wanted("owner", "owner", Secret(password))]
    for keep in (False, True):
        with pytest.raises(Invalid, match=words) as caught:
            invite(wanted, tmp_path, keep=keep, **how)  # type: ignore[arg-type]  # texts alone
        assert password not in caught.value.message.replace("too short", "")
    assert load(tmp_path).entries == ()


def test_labels_have_to_be_names_of_their_own_and_no_more_than_can_be_tried(tmp_path: Path) -> None:
    for wanted, words in (
        ([OWNER, Wanted("Ann", "guest"), Wanted("Ann", "guest")], "'Ann' is named twice"),
        ([OWNER, Wanted("\x1b[2J", "guest")], "printable characters"),
        ([Wanted(f"guest {number}", "guest") for number in range(17)], "At most 16"),
    ):
        with pytest.raises(Invalid, match=words):
            invite(wanted, tmp_path, address=HERE)


@pytest.mark.rule("X50")
def test_a_secrets_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(SecretsUnusable, match="other users of this machine may open it"):
        invite([OWNER], tmp_path, address=HERE)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--tunnel", "cloudflared", "--public", "wss://a.example.org"], "Give either --tunnel or --public"),
        (["--port", "65536"], "The port must be between 0 and 65535"),
        (["--public", "https://a.example.org"], "An endpoint begins with 'ws://' or 'wss://'"),
        (["--idle-minutes", "nan"], "must be a number of 0 or more"),
        (["--password-file", "no/such/file"], "The file of --password-file cannot be read"),
    ],
)
def test_flags_that_cannot_be_are_refused_before_anything_starts(flags: list[str], words: str) -> None:
    with pytest.raises(SfumatoError, match=words):
        serving_of(build_parser().parse_args(["serve", *flags]))


@pytest.mark.rule("X50", "N13")
def test_secrets_come_from_files_and_never_from_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = tmp_path / "held"
    link = "sfumato:?endpoint=ws://studio:1/relay&password=seven%20wet%20owls"
    parse = build_parser().parse_args
    held.write_text(f"\ufeff{link}\r\n", encoding="utf-8")
    found = link_of(parse(["models", "--connect", str(held)]), {})
    assert found is not None
    assert found.secret == Secret("seven wet owls")
    assert link_of(parse(["models"]), {CONNECT_VARIABLE: str(held)}) == found
    assert link_of(parse(["models", "--connect", ""]), {CONNECT_VARIABLE: str(held)}) is None
    assert link_of(parse(["models"]), {}) is None
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{link}\nmore".encode())))
    assert link_of(parse(["models", "--connect", "-"]), {}) == found
    password = serving_of(parse(["serve", "--password-file", str(held)])).password
    assert password is not None
    assert repr(password) == "***"
    for content, words in (
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is no text|is not a text"),
        (b"x" * 9000, "more than 8 KiB"),
        (b"https://seven-wet-owls", "endpoint"),
        (b"sfumato:?endpoint=ws://studio:1/relay", "no terminal to ask"),
    ):
        held.write_bytes(content)
        with pytest.raises(SfumatoError, match=words) as caught:
            link_of(parse(["models", "--connect", str(held)]), {})
        assert "owls" not in caught.value.message
    # The link itself in place of the file's name is no file, and is not repeated.
    for secret in (link, "seven wet owls"):
        with pytest.raises(SfumatoError) as caught:
            link_of(parse(["models", "--connect", secret]), {})
        assert "owls" not in caught.value.message
