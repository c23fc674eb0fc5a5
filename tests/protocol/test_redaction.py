"""No spelling of a secret gets past the redactor: plain, base64, hexadecimal, percent-encoded or escaped, in messages, arguments and tracebacks."""

from __future__ import annotations

import base64
import gc
import io
import json
import logging
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sfumato.protocol.redaction import Redaction, Redactor, install
from sfumato.protocol.secret import Secret, living

SOURCE = Path(__file__).resolve().parents[2] / "source"

# How a secret may be written; each gives one text.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 for addresses, without padding": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64 behind one byte": lambda secret: base64.b64encode(b"u" + secret.encode() + b"\n").decode(),
    "base64 behind two bytes": lambda secret: base64.b64encode(b"u:" + secret.encode() + b" and more").decode(),
    "base64 behind words": lambda secret: "words/and/" + base64.b64encode(secret.encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "hex in pairs": lambda secret: secret.encode().hex(" "),
    "hex behind half a byte": lambda secret: "f" + secret.encode().hex(),
    "percent where needed": lambda secret: urllib.parse.quote(secret, safe=""),
    "percent as forms do": urllib.parse.quote_plus,
    "percent everywhere": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "repr of bytes": lambda secret: repr(secret.encode()),
    "repr": repr,
    "ascii": ascii,
    "JSON": json.dumps,
}
secrets = st.text(st.characters(exclude_categories=("Cs",)), min_size=12, max_size=60).filter(lambda text: len(set(text)) > 5)


@pytest.mark.rule("X52")
@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=secrets, before=st.text(max_size=9), after=st.text(max_size=9))
@example(secret="sfk1.Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE", before="", after="")
@example(secret="correct horse+battery/staple", before="https://host/?q=", after="&x=1")
@example(secret="Gemälde \U0001f3a8 & \"Rahmen\" \\ 'Öl'", before="{", after="}")
def test_a_living_secret_is_hidden_in_every_spelling(spelling: str, secret: str, before: str, after: str) -> None:
    held = Secret(secret)
    written = SPELLINGS[spelling](secret)
    cleaned = Redactor().clean(f"{before} {written} {after}")
    assert written not in cleaned
    assert secret not in cleaned
    assert "***" in cleaned
    assert held


@pytest.mark.rule("X52")
def test_bytes_that_are_secret_are_hidden_as_well() -> None:
    key = bytes(range(200, 232))
    redactor = Redactor([b"another key of sixteen"])
    redactor.add(key)
    for written in (repr(key), key.hex(), base64.b64encode(key).decode(), urllib.parse.quote(key), base64.urlsafe_b64encode(b"x" + key).decode()):
        assert redactor.clean(f"psk {written}.") == "psk ***." or redactor.clean(written) in ("***", "b'***'", "***=")
    assert redactor.clean("another key of sixteen") == "***"


@pytest.mark.rule("X51", "X52")
def test_a_secret_is_known_as_long_as_somebody_holds_it() -> None:
    first = Secret("one that is held twice")
    second = Secret(first.reveal())
    assert any(found is second for found in living())
    text, redactor = first.reveal(), Redactor()
    del first
    gc.collect()
    assert redactor.clean(f"a {text} b") == "a *** b"
    del second
    gc.collect()
    assert redactor.clean(f"a {text} b") == f"a {text} b"


@pytest.mark.rule("X52")
@pytest.mark.parametrize(
    "token",
    [
        "sfk1." + "Ab-_" * 10,
        "hf_" + "aB3" * 11,
        "ghp_" + "aB3" * 12,
        "github_pat_" + "aB3_" * 12,
        "glpat-" + "aB3-" * 5,
        "sk-proj-" + "aB3" * 12,
        "xoxb-123456789012-abcdef",
        "AKIA" + "ABCD1234" * 2,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_tokens_of_known_kinds_are_hidden_though_nobody_said_they_are_secret(token: str) -> None:
    redactor = Redactor()
    for written in (token, base64.b64encode(f"x{token}".encode()).decode(), token.encode().hex(), "".join(f"%{byte:02X}" for byte in token.encode())):
        cleaned = redactor.clean(f"got <{written}> from there")
        assert token[8:] not in cleaned
        assert written[4:-4] not in cleaned
        assert cleaned.startswith("got <***")


@pytest.mark.rule("X52")
@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***"),
        ("GET /models?token=0123456789abcdef&page=2", "GET /models?token=***&page=2"),
        ("sfumato:?endpoint=ws://h:1/relay&password=hunter2hunter2", "sfumato:?endpoint=ws://h:1/relay&password=***"),
        ('{"password": "hunter2hunter2", "x": 1}', '{"password": "***", "x": 1}'),
        ("amqp://guest:hunter2@queue:5672/", "amqp://guest:***@queue:5672/"),
    ],
)
def test_what_stands_where_secrets_stand_is_hidden(text: str, cleaned: str) -> None:
    assert Redactor().clean(text) == cleaned


def test_ordinary_lines_stay_as_they_are() -> None:
    held = [Secret("correct horse battery staple"), Secret("abc")]  # three characters are too common to hide
    lines = [
        "2026-11-22 10:00:00 INFO sfumato.transport.relay: 127.0.0.1 owner 'laptop' connected (3 clients)",
        "job 6f1ed002ab5595859014ebf0951522d9 generate: 12582912 bytes in 3.25 s",
        "models/checkpoints/sdxl_base_1.0.safetensors sha256 31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
        "tokens 3/75; a password was refused; the secret is shown once; %d%% done",
        'File "/usr/lib/python3.11/asyncio/base_events.py", line 653, in run_until_complete',
    ]
    assert held
    assert [Redactor().clean(line) for line in lines] == lines


@pytest.mark.rule("X52")
def test_a_log_hides_secrets_of_messages_arguments_and_tracebacks() -> None:
    secret = Secret("correct horse battery staple")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction(Redactor()))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning("%s and %r", secret.reveal(), {"password": secret.reveal()})
    logger.warning(f"percent %41 of {secret.reveal()}")  # a message that was put together before
    try:
        raise ValueError(f"refused: {secret.reveal()}")
    except ValueError:
        logger.exception("failed", stack_info=True)
    logger.warning("%d words, none a number", secret.reveal())
    written = stream.getvalue()
    assert secret.reveal() not in written
    assert "horse" not in written
    assert "*** and {'password': '***'}" in written
    assert "ValueError: refused: ***" in written
    assert "Traceback" in written


@pytest.mark.rule("X52")
def test_a_process_hides_secrets_in_exceptions_that_nobody_caught(tmp_path: Path) -> None:
    program = """
import logging, threading
from sfumato.protocol.redaction import Redactor, install
from sfumato.protocol.secret import Secret
logging.basicConfig()
install(Redactor())
install(Redactor())
secret = Secret("correct horse battery staple")
logging.getLogger("sfumato.x").error("refused %s", secret.reveal())
def fail():
    raise ValueError("in a thread: " + secret.reveal())
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise ValueError("at the end: " + secret.reveal())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR:sfumato.x:refused ***\n")
    assert "ValueError: in a thread: ***\n" in done.stderr
    assert done.stderr.endswith("ValueError: at the end: ***\n")
    assert "horse" not in done.stderr + done.stdout
    assert install


@pytest.mark.parametrize("word", ["a", "/abc", ".", "0a:", "Zz9", "x://", "a@b:"])
def test_a_long_word_takes_time_by_its_length_and_not_by_its_square(word: str) -> None:
    held = Secret("correct-horse-battery")
    text = word * (100_000 // len(word))
    started = time.process_time()
    cleaned = Redactor().clean(f"{text} {held.reveal()}")
    assert time.process_time() - started < 5  # it is a tenth of a second; by the square it would be minutes
    assert held.reveal() not in cleaned
