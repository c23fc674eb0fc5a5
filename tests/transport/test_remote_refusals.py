"""Servers that are not there, not ours, not honest, or not as they were: each is told in its own words, and nothing is given away to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.server
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
import trustme
from websockets.asyncio.server import Server, ServerConnection, serve

from sfumato.jobs.places import Places
from sfumato.protocol.codec import encode
from sfumato.protocol.errors import TRIED_AGAIN
from sfumato.protocol.messages import Accepted, Artifact, Event, Failed, Finished, Hello, JobEvent, Progress, Submit
from sfumato.protocol.secret import Secret
from sfumato.transport.channel import Channel, Document
from sfumato.transport.dialing import certificate_question
from sfumato.transport.greeting import Greeting, answer
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.known_servers import InMemory, Question, Remembered
from sfumato.transport.link import Link
from sfumato.transport.outbox import Outbox
from sfumato.transport.relay_words import TurnedAway, Welcome, encode_word
from sfumato.transport.remote import RemoteInference
from tests.support.listening import Listening
from tests.support.served import QUICK, SALT, Served, States, Trusting, remote

SECRET = make_secret()
PASSWORD = Secret("a long and winding password")
OWNER = Identity("me", "owner", psk_of(SECRET, SALT, ScryptParameters()), "owner-1")
Serve = Callable[[ServerConnection], Awaitable[None]]


@contextmanager
def websocket_server(handle: Serve, **options: Any) -> Iterator[int]:
    """A server of websockets that does what a test wants; its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> Server:
        return await serve(handle, "127.0.0.1", 0, compression=None, close_timeout=0.5, **options)

    async def end() -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _connect(port: int, secret: Secret = SECRET, **options: Any) -> tuple[RemoteInference, States, Listening]:
    states, listening = States(), Listening()
    options.setdefault("timing", QUICK)
    endpoint = RemoteInference(Link.of(options.pop("endpoint", f"ws://127.0.0.1:{port}"), secret), states.hear, **options)
    endpoint.open(listening.hear)
    return endpoint, states, listening


def _refused(port: int, secret: Secret = SECRET, **options: Any) -> str:
    """The sentence with which the client gives up."""
    endpoint, states, _ = _connect(port, secret, **options)
    sentence = states.wait_for("refused").sentence
    endpoint.close()
    return sentence


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# -- five different sentences --------------------------------------------------------------------


@pytest.mark.rule("D157", "N20")
def test_five_ways_not_to_get_in_are_five_sentences(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests ask no name server; its answer about a name that is not there is written down here.
    look_up = socket.getaddrinfo

    def unknown(host: Any, *arguments: Any, **named: Any) -> Any:
        if host == "no-such-host.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def newer(connection: ServerConnection) -> None:
        await connection.send(b"SFMT\x02" + bytes(60))
        await connection.wait_closed()

    async def foreign(connection: ServerConnection) -> None:
        await connection.send("welcome to the chat")
        await connection.wait_closed()

    with Served(places) as served, websocket_server(newer) as newer_port, websocket_server(foreign) as foreign_port:
        sentences = [
            _refused(served.port, make_secret()),
            _refused(newer_port),
            _refused(foreign_port),
            _refused(0, endpoint="ws://no-such-host.example:28888"),
            _refused(_free_port()),
        ]
    print("\n".join(sentences))
    for sentence, words in zip(sentences, ("refused the password", "version 2", "not a Sfumato server", "was not found", "Nothing listens"), strict=True):
        assert words in sentence
    assert len(set(sentences)) == 5


@pytest.mark.rule("D157")
def test_a_web_site_is_no_sfumato_server_and_a_proxy_without_its_server_is_waited_for() -> None:
    class Site(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        status = 404

        def do_GET(self) -> None:
            self.send_response(self.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        assert "not a Sfumato server" in _refused(site.server_port)
        Site.status = 502
        endpoint, states, _ = _connect(site.server_port)
        assert "502" in states.wait_for("reconnecting").sentence
        endpoint.close()
        site.shutdown()
        thread.join()


def test_a_redirect_in_the_upgrade_is_not_followed() -> None:
    """Attack 14."""
    asked = threading.Event()

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.set()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:

        class Redirecting(Elsewhere):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Content-Length", "0")
                self.send_header("Location", f"ws://127.0.0.1:{elsewhere.server_port}/relay")
                self.end_headers()

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as first:
            threads = [threading.Thread(target=server.serve_forever) for server in (elsewhere, first)]
            for thread in threads:
                thread.start()
            assert "not a Sfumato server" in _refused(first.server_port)
            for server in (elsewhere, first):
                server.shutdown()
            for thread in threads:
                thread.join()
    assert not asked.is_set()


def test_without_a_secret_nothing_is_contacted() -> None:
    endpoint, states, _ = _connect(_free_port(), Secret(""))
    assert "password" in states.wait_for("refused").sentence
    endpoint.close()


@pytest.mark.rule("N3")
def test_a_wrong_secret_is_told_and_the_right_one_of_a_second_try_is_let_in(places: Places) -> None:
    with Served(places) as served:
        endpoint, states, _ = _connect(served.port, make_secret())
        states.wait_for("refused")
        endpoint.reconnect()  # tries again, and is refused again, whatever it was told before
        states.wait_for("refused", len(states.heard))
        endpoint.close()


@pytest.mark.rule("N10")
def test_a_server_that_asks_for_passwords_made_too_weak_learns_nothing_of_them() -> None:
    heard: list[object] = []

    async def weak(connection: ServerConnection) -> None:
        await connection.send(Greeting(SALT, ScryptParameters(n=2**10)).to_bytes())
        async for message in connection:
            heard.append(message)

    with websocket_server(weak) as port:
        assert "too weak" in _refused(port, PASSWORD)
    assert heard == []


# -- what is remembered --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.rule("N10", "N14")
def test_a_password_is_not_tried_on_a_server_that_was_set_up_anew_without_a_word(places: Places) -> None:
    with Served(places, secret=PASSWORD) as served:
        asked: list[Question] = []
        answers: list[Callable[[bool], None]] = []

        class Asking(InMemory):
            def ask(self, question: Question, answer: Callable[[bool], None]) -> None:
                asked.append(question)
                answers.append(answer)

        known = Asking()
        # The first time nothing is asked, and the salt is remembered
        endpoint, states, listening = _connect(served.port, PASSWORD, known=known)
        listening.wait_for(Hello)
        endpoint.close()
        server = endpoint.server
        assert known.recall(server).salt == SALT
        assert not asked
        # Another salt than the remembered one: the user is asked before the password is tried
        known.remember(server, Remembered(bytes(16)))
        for is_yes in (False, True):
            endpoint, states, listening = _connect(served.port, PASSWORD, known=known)
            assert "set up anew" in states.wait_for("refused").sentence
            assert not served.relay.clients()
            answers[-1](is_yes)
            if is_yes:
                listening.wait_for(Hello)
            else:
                states.wait(lambda state: "not tried" in state.sentence)
            endpoint.close()
        assert [question.kind for question in asked] == ["salt_changed", "salt_changed"]
        assert known.recall(server).salt == SALT
        # A key is no password: nothing can be guessed from it, and nothing is asked
        assert InMemory().recall(server) == Remembered()


@pytest.mark.rule("N15")
def test_a_certificate_nobody_vouches_for_is_used_only_after_its_fingerprint_was_confirmed(places: Places, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    fingerprint = hashlib.sha256(der).hexdigest()
    with Served(places, secret=SECRET, tls=context) as served:
        endpoint = f"wss://127.0.0.1:{served.port}"
        assert "No authority vouches" in _refused(0, endpoint=endpoint)
        asked: list[Question] = []
        known = InMemory(lambda question: not asked.append(question))
        for _ in range(2):
            client, _, listening = _connect(0, endpoint=endpoint, known=known)
            listening.wait_for(Hello)
            client.close()
        assert [(question.kind, question.fingerprint) for question in asked] == [("certificate", fingerprint)]
        assert fingerprint[:2].upper() in asked[0].sentence
        # Another certificate than the confirmed one is asked about again
        doubting = InMemory()
        doubting.remember(f"127.0.0.1:{served.port}", Remembered(fingerprint="00" * 32))
        assert "not the one that was confirmed" in _refused(0, endpoint=endpoint, known=doubting)
        assert certificate_question("a:1", fingerprint, "00" * 32).kind == "certificate_changed"
        # With an authority that vouches for it nothing is asked
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        trusting = Trusting(tmp_path / "authority.pem")
        client, _, listening = _connect(0, endpoint=endpoint)
        listening.wait_for(Hello)
        client.close()
        trusting.close()


def test_tls_where_there_is_none_is_told(places: Places) -> None:
    with Served(places) as served:
        endpoint, states, _ = _connect(0, endpoint=f"wss://127.0.0.1:{served.port}")
        told = states.wait(lambda state: state.name in ("refused", "reconnecting"))
        assert "no TLS came about" in told.sentence
        assert "ws://" in told.sentence
        assert told.sentence.endswith(TRIED_AGAIN)
        endpoint.close()


# -- hostile servers -----------------------------------------------------------------------------


def _knows_the_secret(speak: Callable[[Channel, Outbox], None], documents: list[dict[str, Any]] | None = None) -> Serve:
    """A server that has the secret and then says what `speak` puts into its outbox, before it hears anything but who comes."""

    async def handle(connection: ServerConnection) -> None:
        greeting = Greeting(SALT).to_bytes()
        await connection.send(greeting)
        answered = answer(await connection.recv(), greeting, [OWNER])
        assert answered is not None
        await connection.send(answered.reply)
        channel = answered.channel
        outbox = Outbox(channel)
        is_in = False
        async for message in connection:
            heard = channel.receive(message)
            if isinstance(heard, Document):
                if documents is not None:
                    documents.append(bson.decode(heard.data))
                if not is_in:
                    is_in = True
                    speak(channel, outbox)
            while (sealed := outbox.next()) is not None:
                await connection.send(sealed)

    return handle


def _welcome(outbox: Outbox, *events: Event) -> None:
    outbox.put(encode_word(Welcome(protocol=1, session="0" * 32)), order="all")
    for event in events:
        outbox.put(encode(event), order="all")


@pytest.mark.rule("N63", "R95")
def test_a_server_of_another_protocol_is_told_with_both_versions() -> None:
    def speak(channel: Channel, outbox: Outbox) -> None:
        outbox.put(encode_word(Welcome(protocol=7, protocols=(6, 8), session="0" * 32)))

    with websocket_server(_knows_the_secret(speak)) as port:
        sentence = _refused(port)
    assert "6 to 8" in sentence and "speaks 1" in sentence and "on this machine" in sentence


def test_who_is_turned_away_is_told_the_servers_sentence_as_plain_text() -> None:
    def speak(channel: Channel, outbox: Outbox) -> None:
        outbox.put(encode_word(TurnedAway(code="withdrawn", message="<b>No</b>\x1b[31m\u202e " + "x" * 10_000)))

    with websocket_server(_knows_the_secret(speak)) as port:
        sentence = _refused(port)
    assert sentence.startswith("<b>No</b>[31m ")
    assert len(sentence) <= 400


def test_events_of_jobs_nobody_sent_are_nothing_and_texts_and_names_are_bounded() -> None:
    """Attack 13: artifacts for jobs not sent, endless progress, HTML and escapes in texts, names with paths."""
    flood: list[Event] = [Artifact(job="stranger", seq=number, name="x", media_type="image/png", data=b"x") for number in range(1, 50)]
    flood += [Accepted(job="mine", seq=1)]
    flood += [Progress(job="mine", seq=number, stage="s" * 5000, note="<img src=x>\x1b[2J" * 100, preview=(b"j",) * 1000) for number in range(2, 50)]
    flood += [Artifact(job="mine", seq=50, name="../../etc/passwd\x00", media_type="text/html" * 100, data=b"1", info={"index": 0})]
    flood += [Finished(job="mine", seq=51), Finished(job="mine", seq=52), Failed(job="mine", seq=53, code="x", message="late")]

    def speak(channel: Channel, outbox: Outbox) -> None:
        _welcome(outbox, Hello(session="0" * 32))

    def flooding(channel: Channel, outbox: Outbox) -> None:
        speak(channel, outbox)
        for event in flood:
            outbox.put(encode(event), order="all")

    documents: list[dict[str, Any]] = []
    with websocket_server(_knows_the_secret(flooding, documents)) as port:
        states, listening = States(), Listening()
        endpoint = RemoteInference(Link.of(f"ws://127.0.0.1:{port}", SECRET), states.hear, timing=QUICK)
        endpoint.send(Submit(job="mine", kind="count"))
        endpoint.open(listening.hear)
        listening.ending("mine")
        endpoint.close()
    events = [event for event in listening.events if isinstance(event, JobEvent)]
    assert {event.job for event in events} == {"mine"}
    assert sum(isinstance(event, Finished | Failed) for event in events) == 1
    progress = next(event for event in events if isinstance(event, Progress))
    assert len(progress.stage) <= 400 and len(progress.note) <= 400 and len(progress.preview) <= 64
    assert "\x1b" not in progress.note and "<img src=x>" in progress.note
    artifact = next(event for event in events if isinstance(event, Artifact))
    assert artifact.name == "_.._etc_passwd_"
    assert len(artifact.media_type) <= 100


@pytest.mark.slow
def test_a_catalog_with_a_million_entries_ends_the_connection() -> None:
    """Attack 13."""

    def speak(channel: Channel, outbox: Outbox) -> None:
        _welcome(outbox, Hello(session="0" * 32, catalog={"choices": {"models": [0] * 1_000_000}}))

    with websocket_server(_knows_the_secret(speak)) as port:
        assert "500000 values" in _refused(port)


@pytest.mark.parametrize("document", [b"\x05\x00\x00\x00\x00", bson.encode({"type": "welcome"}), bson.encode({"type": "nonsense"}), b"\xff" * 100])
def test_documents_that_are_no_words_end_the_connection(document: bytes) -> None:
    def speak(channel: Channel, outbox: Outbox) -> None:
        outbox.put(document)

    with websocket_server(_knows_the_secret(speak)) as port:
        endpoint, states, _ = _connect(port)
        states.wait(lambda state: state.name in ("refused", "reconnecting"))
        endpoint.close()


def test_artifacts_that_lie_about_their_size_or_hash_end_their_job_with_a_sentence(places: Places) -> None:
    """Attack 13, with delivery on demand: a picture of 2 GB announced, one without a hash."""
    for described in ({"size": 1 << 31, "sha256": "00" * 32}, {"size": 10}, "nothing", {"size": -1, "sha256": "0"}):
        flood: list[Event] = [
            Accepted(job="mine", seq=1),
            Artifact(job="mine", seq=2, name="x", media_type="image/png", blob="mine.2", info={"blob": described}),
            Finished(job="mine", seq=3),
        ]

        def speak(channel: Channel, outbox: Outbox, flood: list[Event] = flood) -> None:
            _welcome(outbox, Hello(session="0" * 32), *flood)

        with websocket_server(_knows_the_secret(speak)) as port:
            listening = Listening()
            endpoint = RemoteInference(Link.of(f"ws://127.0.0.1:{port}", SECRET), timing=QUICK, artifacts="on_demand")
            endpoint.send(Submit(job="mine", kind="count"))
            endpoint.open(listening.hear)
            ending = listening.ending("mine")
            assert isinstance(ending, Failed) and ending.code == "checksum"
            assert [event.seq for event in listening.of("mine")] == [1, 2, 3]
            endpoint.close()


def test_a_server_that_never_greets_is_given_up_on() -> None:
    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    with websocket_server(silent) as port:
        assert "not a Sfumato server" in _refused(port, timing=replace(QUICK, handshake_s=0.2))


@pytest.mark.rule("R111", "N13")
def test_nothing_of_a_link_but_its_place_is_asked_for_in_the_open() -> None:
    secret, heard = Secret("marked-secret Öwls+at/noon"), b""
    spelled = (
        secret.reveal().encode(),
        urllib.parse.quote(secret.reveal(), safe="").encode(),
        base64.b64encode(secret.reveal().encode())[:20],
        b"marked",
        b"owls",
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint, _, _ = _connect(server.getsockname()[1], secret)
        try:
            server.settimeout(60)
            line, _ = server.accept()
            with line:
                line.settimeout(60)
                while b"\r\n\r\n" not in heard:
                    part = line.recv(4096)
                    assert part, heard
                    heard += part
        finally:
            endpoint.close()
    assert heard.startswith(b"GET /relay HTTP/1.1\r\n")
    for form in spelled:
        assert form not in heard
        assert form.lower() not in heard.lower()


def test_the_secret_is_in_no_text_of_the_client(places: Places, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with Served(places) as served:
        states, listening = States(), Listening()
        endpoint = remote(served, states=states)
        endpoint.open(listening.hear)
        hello = listening.wait_for(Hello)
        endpoint.close()
        told = caplog.text + repr(states.heard) + repr(endpoint.__dict__)
        assert served.secret.reveal() not in told
        assert hello.session not in caplog.text
