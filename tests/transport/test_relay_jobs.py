"""Jobs through the relay before a real endpoint: turns, strangers, guests, lost lines, deferred pictures, heartbeat, and what the log says."""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from sfumato.jobs.places import Places
from sfumato.jobs.registry import JobKind, Registry
from sfumato.protocol.errors import PortTaken
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Failed, Feed, Finished, Hello, Progress, Resume, Submit
from sfumato.protocol.requests.fetch import Fetch, FetchResult
from sfumato.transport import attached, reception
from sfumato.transport.channel import Reason
from sfumato.transport.endpoint import InProcess, State
from sfumato.transport.keys import Identity, make_secret, psk_of
from sfumato.transport.keys import ScryptParameters as Work
from sfumato.transport.limits import RelayLimits
from sfumato.transport.relay import Relay
from sfumato.transport.relay_words import Attach, EngineIs, Enter, TurnedAway
from tests.support import kinds
from tests.support.listening import Listening
from tests.support.relaying import GUEST, OTHER_GUEST, OWNER, SALT, RawClient, ScriptedShared, client_of, job, relay_before

PATIENCE_S = 30.0


def register(registry: Registry) -> None:
    """The usual kinds of tests, one that writes, and a catalog that knows where files lie."""
    kinds.register(registry)
    registry.add(JobKind("erase", "Erase", kinds.Count, kinds.Counted, "tests.support.kinds:run"))
    registry.add(JobKind("fetch", "Fetch a result", Fetch, FetchResult, "sfumato.jobs.fetching:run", writes=False, lane="journal"))
    registry.add_catalog("tests.transport.test_relay_jobs:describe")


def describe(places: object) -> dict[str, object]:
    rows = [
        {"value": "good", "label": "Good", "path": "/home/secret-name/models/good.safetensors"},
        {"value": "sub/other", "label": "~ other ~", "path": "C:\\Users\\secret-name\\models\\other.safetensors"},
    ]
    return {"choices": {"more_models": rows}, "device": {"name": "CPU", "kind": "cpu"}}


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[InProcess]:
    registry = Registry()
    register(registry)
    endpoint = InProcess(registry, Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",)))
    endpoint.open(Listening().hear)
    yield endpoint
    endpoint.close()


@pytest.fixture
def relay(inner: InProcess) -> Iterator[Relay]:
    with relay_before(inner) as opened:
        yield opened


def wait(wanted: Callable[[], object]) -> None:
    """Until it is so; the owner's list changes when it likes."""
    ends = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not wanted():
        assert time.monotonic() < ends, "it did not come to be"
        pause.wait(0.01)


# -- many clients ------------------------------------------------------------------------------------


@pytest.mark.rule("N32")
def test_clients_take_turns_and_hear_nothing_of_each_other(relay: Relay) -> None:
    with RawClient(relay.port, OWNER.psk) as first, RawClient(relay.port, GUEST.psk) as second:
        first.enter()
        second.enter()
        first.tell(job("long", steps=100_000, pause_s=0.001))
        first.until(lambda word: isinstance(word, Progress))
        for number in range(20):
            first.tell(job(f"flood-{number}"))
        accepted = first.until(lambda word: isinstance(word, Accepted) and word.job == "flood-19")
        assert isinstance(accepted, Accepted)
        assert accepted.position == 20
        second.tell(job("single"))
        told = second.until(lambda word: isinstance(word, Accepted))
        assert isinstance(told, Accepted)
        # One turn of the other client, at most, is before it besides the running job.
        assert told.position <= 2
        first.tell(Cancel(job="long"))
        assert isinstance(second.ending_of("single"), Finished)
        first.ending_of("flood-19")
        assert {getattr(word, "job", "single") for word in second.words} == {"single"}
        assert {getattr(word, "job", "long") for word in first.words} == {"long", *(f"flood-{number}" for number in range(20))}


@pytest.mark.rule("N33")
def test_a_strangers_job_answers_like_one_that_never_was(relay: Relay) -> None:
    with RawClient(relay.port, GUEST.psk) as mine, RawClient(relay.port, OTHER_GUEST.psk) as theirs:
        mine.enter()
        theirs.enter()
        mine.tell(job("private", steps=100_000, pause_s=0.001))
        mine.until(lambda word: isinstance(word, Progress))
        answers: list[Failed] = []
        for name in ("private", "unknown"):
            for after in (0, 10**9):
                theirs.tell(Resume(job=name, after=after))
                answer = theirs.until(lambda word: isinstance(word, Failed))
                assert isinstance(answer, Failed)
                answers.append(answer)
            theirs.tell(Cancel(job=name))
            theirs.tell(Feed(job=name, data=b"x", last=True))
            theirs.tell(Submit(job="fetching-" + name, kind="fetch", params={"blob": f"{name}.1", "offset": 0}))
            failed = theirs.ending_of("fetching-" + name)
            assert isinstance(failed, Failed)
            answers.append(failed)
        assert [answer.message.replace("private", "unknown") for answer in answers[:3]] == [answer.message for answer in answers[3:]]
        assert {answer.code for answer in answers} == {"job_not_found", "invalid"}
        # Its own client still hears it, and ends it.
        mine.until(lambda word: isinstance(word, Progress) and word.job == "private")
        mine.tell(Cancel(job="private"))
        assert isinstance(mine.ending_of("private"), Cancelled)
        assert not [word for word in theirs.words if isinstance(word, Progress)]


# -- guests ------------------------------------------------------------------------------------------


@pytest.mark.rule("N30", "N31")
def test_a_guest_is_offered_what_writes_nothing_and_learns_no_places(relay: Relay) -> None:
    with RawClient(relay.port, GUEST.psk) as guest, RawClient(relay.port, OWNER.psk) as owner:
        guest.enter()
        owner.enter()
        offered, whole = (client.until(lambda word: isinstance(word, Hello)) for client in (guest, owner))
        assert isinstance(offered, Hello)
        assert isinstance(whole, Hello)
        assert offered.role == "guest"
        assert set(offered.catalog["kinds"]) == {"count", "fetch"}
        assert "erase" in whole.catalog["kinds"]
        assert "secret-name" in str(whole.catalog)
        assert "secret-name" not in str(offered.catalog)
        assert [row["label"] for row in offered.catalog["choices"]["more_models"]] == ["Good", "~ other ~"]
        assert [row["value"] for row in offered.catalog["choices"]["more_models"]] == ["good", "sub/other"]
        guest.tell(job("e", "erase"))
        refused = guest.ending_of("e")
        assert isinstance(refused, Failed)
        assert refused.code == "forbidden"
        assert "'erase'" in refused.message


def test_a_guest_hears_sentences_and_no_traces(relay: Relay) -> None:
    details: list[str] = []
    for who in (GUEST, OWNER):
        with RawClient(relay.port, who.psk) as client:
            client.enter()
            client.tell(job("broken", act="raise"))
            ending = client.ending_of("broken")
            assert isinstance(ending, Failed)
            assert ending.code == "internal"
            details.append(ending.detail)
    assert details[0] == ""
    assert "a mistake of ours" in details[1]


@pytest.mark.rule("N31")
def test_guests_are_told_when_the_owner_begins_to_watch(inner: InProcess) -> None:
    with relay_before(inner, monitored=False) as relay, RawClient(relay.port, GUEST.psk) as guest, RawClient(relay.port, OWNER.psk) as owner:
        assert not guest.enter().monitored
        owner.enter()
        for client in (guest, owner):
            client.until(lambda word: isinstance(word, Hello))
        relay.monitor(True)
        told = guest.until(lambda word: isinstance(word, Hello))
        assert isinstance(told, Hello)
        assert told.monitored
        with RawClient(relay.port, GUEST.psk) as later:
            assert later.enter().monitored


# -- while a job runs --------------------------------------------------------------------------------


def median(values: list[float]) -> float:
    """This machine has other things to do: single values say nothing."""
    return sorted(values)[len(values) // 2]


@pytest.mark.rule("R85", "R84")
def test_the_relay_answers_within_200_ms_while_a_job_keeps_the_processor_busy(relay: Relay) -> None:
    with RawClient(relay.port) as busy, RawClient(relay.port, GUEST.psk) as client:
        busy.enter()
        client.enter()
        busy.tell(job("long", steps=100_000, pause_s=0))
        busy.tell(job("longer", steps=100_000, pause_s=0))
        busy.until(lambda word: isinstance(word, Progress))
        answered: list[float] = []
        ended: list[float] = []
        for number in range(15):
            assert client.channel is not None
            token = number.to_bytes(8, "big")
            begun = time.monotonic()
            client.line.send(client.channel.ping(token))
            while token not in client.pongs:
                client.hear_message()
            answered.append(time.monotonic() - begun)
            client.tell(job(f"waiting-{number}"))
            client.until(lambda word: isinstance(word, Accepted))
            begun = time.monotonic()
            client.tell(Cancel(job=f"waiting-{number}"))
            assert isinstance(client.ending_of(f"waiting-{number}"), Cancelled)
            ended.append(time.monotonic() - begun)
        assert [(one.running, one.waiting) for one in relay.clients() if one.role == "owner"] == [(1, 1)], "nothing ran meanwhile"
        assert median(answered) < 0.2, answered
        assert median(ended) < 0.2, ended
        busy.tell(Cancel(job="longer"))
        busy.tell(Cancel(job="long"))
        assert isinstance(busy.ending_of("long"), Cancelled)


@pytest.mark.rule("R136")
def test_events_arrive_within_100_ms_of_being_sent() -> None:
    shared = ScriptedShared()
    with relay_before(shared) as relay, RawClient(relay.port) as client:
        who = client_of(client.enter().session, OWNER)
        shared.wait(lambda it: who in it.joined)
        client.until(lambda word: isinstance(word, Hello))
        took: list[float] = []
        for number in range(1, 31):
            begun = time.monotonic()
            # Nothing is asked: what happens is told by itself.
            shared.say(who, Progress(job="a", seq=number, stage="denoise", done=number, total=30))
            assert isinstance(client.hear(), Progress)
            took.append(time.monotonic() - begun)
        assert median(took) < 0.1, took


TEXTS = (
    "a\\b, C:\\models\\fox.safetensors, /home/x/y, a/b\\c/",
    "\\(fox:1.2\\) <lora:sub/fox:1> __animals/forest__ sub\\fox",
    "line\r\nline\rline\n\ttab \u00e4a\u0308 \U0001f98a \u202e \x7f",
    "",
    " spaces ",
)


@pytest.mark.rule("R124")
def test_texts_arrive_as_they_were_written_whatever_is_in_them() -> None:
    shared = ScriptedShared()
    with relay_before(shared) as relay, RawClient(relay.port) as client:
        who = client_of(client.enter().session, OWNER)
        shared.wait(lambda it: who in it.joined)
        client.until(lambda word: isinstance(word, Hello))
        fields = ("prompt", "negative_prompt", "model", "image", "path", "file", "anything\\else", "folder/name")
        params = {field: list(TEXTS) for field in fields} | {"inner": {"model": TEXTS[0], "deeper": [{"path": TEXTS[1]}]}}
        client.tell(Submit(job="a", kind="count", params=params, blobs={"a/b\\c": b"\\/"}))
        shared.wait(lambda it: it.told)
        told = shared.told[0][1]
        assert isinstance(told, Submit)
        assert (told.params, told.blobs) == (params, {"a/b\\c": b"\\/"})
        shared.say(who, Finished(job="a", seq=1, result=params))
        ending = client.ending_of("a")
        assert isinstance(ending, Finished)
        assert ending.result == params


# -- lost lines --------------------------------------------------------------------------------------


@pytest.mark.rule("N40", "N41")
def test_a_job_goes_on_without_its_client_and_resume_tells_all_that_was_missed_once(relay: Relay) -> None:
    first = RawClient(relay.port)
    key = first.enter().session
    first.tell(job("a", steps=400, pictures=3, size_bytes=100_000, pause_s=0.002))
    for _ in range(20):
        first.hear()
    first.cut()
    heard = first.of("a")
    with RawClient(relay.port) as second:
        assert second.enter(session=key).continues
        second.tell(Resume(job="a", after=heard[-1].seq))
        second.ending_of("a")
        events = heard + second.of("a")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sum(isinstance(event, Progress) and event.stage == "count" for event in events) == 400
    assert [event.data for event in events if isinstance(event, Artifact)] == [bytes([n]) * 100_000 for n in range(3)]


@pytest.mark.rule("N40", "R108")
def test_who_stays_away_too_long_is_forgotten_with_its_jobs(inner: InProcess) -> None:
    with relay_before(inner, limits=RelayLimits(session_s=0.5)) as relay:
        client = RawClient(relay.port)
        welcome = client.enter()
        assert welcome.limits["session_s"] == 0.5
        client.tell(job("a", steps=100_000, pause_s=0.001))
        client.until(lambda word: isinstance(word, Progress))
        client.cut()
        with RawClient(relay.port) as other:
            other.enter()
            other.tell(job("b"))
            # The forgotten job does not keep the engine for itself.
            assert isinstance(other.ending_of("b"), Finished)
        with RawClient(relay.port) as late:
            assert not late.enter(session=welcome.session).continues
            late.tell(Resume(job="a", after=0))
            gone = late.until(lambda word: isinstance(word, Failed))
            assert isinstance(gone, Failed)
            assert gone.code in ("job_not_found", "session_expired")


@pytest.mark.rule("N42")
def test_a_session_and_its_jobs_outlive_the_relay(inner: InProcess, tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    with relay_before(inner, sessions_path=path) as relay:
        client = RawClient(relay.port)
        key = client.enter().session
        client.tell(job("a", steps=300, pause_s=0.002))
        client.until(lambda word: isinstance(word, Progress))
        relay.close()
        assert client.hear_the_end() == Reason.SHUTTING_DOWN
        client.close()
    assert key not in path.read_text()
    with relay_before(inner, sessions_path=path) as relay, RawClient(relay.port) as again:
        assert again.enter(session=key).continues
        again.tell(Resume(job="a", after=0))
        assert isinstance(again.ending_of("a"), Finished)
        assert [event.seq for event in again.of("a")] == list(range(1, len(again.of("a")) + 1))


# -- pictures ----------------------------------------------------------------------------------------


@pytest.mark.rule("N50")
def test_deferred_pictures_are_fetched_whole_and_match_their_hash(relay: Relay) -> None:
    with RawClient(relay.port) as client:
        client.enter(artifacts="on_demand")
        client.tell(job("a", pictures=2, size_bytes=9_000_000))
        client.ending_of("a")
        named = [event for event in client.of("a") if isinstance(event, Artifact)]
        assert [(event.data, event.info["blob"]["size"]) for event in named] == [(b"", 9_000_000)] * 2
        for event in named:
            data = b""
            while len(data) < event.info["blob"]["size"]:
                name = f"fetch-{event.seq}-{len(data)}"
                client.tell(Submit(job=name, kind="fetch", params={"blob": event.blob, "offset": len(data)}))
                assert isinstance(client.ending_of(name), Finished)
                data += b"".join(part.data for part in client.of(name) if isinstance(part, Artifact))
            assert hashlib.sha256(data).hexdigest() == event.info["blob"]["sha256"]
            assert data == bytes([event.info["index"]]) * 9_000_000


def test_inputs_longer_than_a_command_travel_in_parts(relay: Relay, inner: InProcess) -> None:
    with RawClient(relay.port) as client:
        client.enter()
        whole = Submit(job="a", kind="count", params={}, blobs={"image": bytes(5_000_000), "mask": b""})
        for part in attached.parts_of(whole):
            client.tell(part)
        client.tell(whole.model_copy(update={"blobs": {}}))
        assert isinstance(client.ending_of("a"), Finished)


def test_more_inputs_than_a_connection_may_hold_end_it(relay: Relay) -> None:
    with RawClient(relay.port) as client:
        client.enter()
        with suppress(ConnectionClosed):
            for _ in range(70):
                client.tell(Attach(job="b", name="image", data=bytes(1 << 20)))
        word = client.until(lambda word: isinstance(word, TurnedAway))
        assert isinstance(word, TurnedAway)
        assert word.code == "bad_frame"


# -- heartbeat, the owner's view ---------------------------------------------------------------------


@pytest.mark.rule("N43")
def test_heartbeats_go_both_ways_and_tell_the_latency(inner: InProcess) -> None:
    with relay_before(inner, limits=RelayLimits(ping_s=0.05)) as relay, RawClient(relay.port) as client:
        client.enter()
        while client.pings < 12:
            client.hear_message()
        assert client.channel is not None
        client.line.send(client.channel.ping(b"12345678"))
        client.tell(job("a"))
        client.ending_of("a")
        assert b"12345678" in client.pongs
        status = relay.clients()[0]
        assert status.latency_s is not None
        assert 0 <= status.latency_s < 5


@pytest.mark.rule("N43")
def test_who_does_not_answer_is_ended_and_may_come_back(inner: InProcess) -> None:
    with relay_before(inner, limits=RelayLimits(ping_s=0.05, silence_s=0.5)) as relay, RawClient(relay.port) as client:
        key = client.enter().session
        client.answers_pings = False
        assert client.hear_the_end() is None
        with RawClient(relay.port) as again:
            assert again.enter(session=key).continues


def test_the_owner_sees_who_is_there_and_hears_of_changes(inner: InProcess) -> None:
    changed = threading.Event()
    with relay_before(inner, on_change=changed.set) as relay:
        assert relay.clients() == []
        with RawClient(relay.port, GUEST.psk) as guest:
            guest.enter(label="tablet\x1b[31m\n")
            wait(changed.is_set)
            (status,) = relay.clients()
            assert (status.label, status.address, status.role, status.identity) == ("tablet [31m", "127.0.0.1", "guest", "a friend")
            assert abs(status.connected_at - time.time()) < 60
            guest.tell(job("long", steps=100_000, pause_s=0.001))
            guest.tell(job("next"))
            guest.until(lambda word: isinstance(word, Accepted) and word.job == "next")
            guest.until(lambda word: isinstance(word, Progress))
            changed.clear()
            status = relay.clients()[0]
            assert (status.running, status.waiting) == (1, 1)
            assert status.bytes_in > 100
            assert status.bytes_out > 100
            relay.disconnect(status.session)
            word = guest.until(lambda word: isinstance(word, TurnedAway))
            assert isinstance(word, TurnedAway)
            assert word.code == "disconnected"
            assert guest.hear_the_end() == Reason.DISCONNECTED_BY_OWNER
            wait(changed.is_set)
        wait(lambda: relay.clients() == [])
        with RawClient(relay.port, OWNER.psk) as owner:
            owner.enter()
            owner.tell(job("free"))
            assert isinstance(owner.ending_of("free"), Finished)


def test_a_withdrawn_secret_ends_its_connections(inner: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "RECHECK_S", 0.0)
    known = [OWNER, GUEST]
    relay = Relay(inner, lambda: list(known), salt=SALT, port=0)
    relay.open()
    try:
        with RawClient(relay.port, GUEST.psk) as guest, RawClient(relay.port, OWNER.psk) as owner:
            guest.enter()
            owner.enter()
            known.remove(GUEST)
            assert isinstance(guest.until(lambda word: isinstance(word, TurnedAway)), TurnedAway)
            assert guest.hear_the_end() == Reason.DISCONNECTED_BY_OWNER
            owner.tell(job("a"))
            assert isinstance(owner.ending_of("a"), Finished)
    finally:
        relay.close()


def test_clients_hear_how_the_engine_is(inner: InProcess) -> None:
    with relay_before(inner) as relay, RawClient(relay.port) as early:
        early.enter()
        relay.tell(State("restarting", "The engine stopped. Restarting"))
        word = early.until(lambda word: isinstance(word, EngineIs))
        assert word == EngineIs(name="restarting", sentence="The engine stopped. Restarting")
        with RawClient(relay.port) as late:
            late.enter()
            assert late.until(lambda word: isinstance(word, EngineIs)) == word


@pytest.mark.parametrize(("limits", "words"), [(RelayLimits(sessions_per_identity=2), "2 windows"), (RelayLimits(connections=2), "2 connections")])
def test_connected_clients_are_bounded(inner: InProcess, limits: RelayLimits, words: str) -> None:
    with relay_before(inner, limits=limits) as relay, RawClient(relay.port) as first, RawClient(relay.port) as second, RawClient(relay.port) as third:
        first.enter()
        second.enter()
        third.tell(Enter())
        word = third.hear()
        assert isinstance(word, TurnedAway)
        assert word.code == "too_many_clients"
        assert words in word.message
        first.tell(job("a"))
        assert isinstance(first.ending_of("a"), Finished)


def test_a_taken_port_is_told_in_a_sentence(relay: Relay, inner: InProcess) -> None:
    with pytest.raises(PortTaken, match=str(relay.port)):
        Relay(inner, lambda: [OWNER], salt=SALT, port=relay.port).open()
    with pytest.raises(PortTaken):
        Relay(inner, lambda: [OWNER], salt=SALT, address="192.0.2.1", port=0).open()


def test_closing_twice_and_closing_what_was_never_opened_is_fine(inner: InProcess) -> None:
    relay = Relay(inner, lambda: [OWNER], salt=SALT, port=0)
    relay.close()
    assert relay.clients() == []
    relay.open()
    relay.close()
    relay.close()
    assert relay.clients() == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("relay")]


# -- the log -----------------------------------------------------------------------------------------


@pytest.mark.rule("N62")
def test_the_log_has_facts_and_no_secrets(inner: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    secret = make_secret()
    owner = Identity("my desk", "owner", psk_of(secret, SALT, Work()), "owner-9")
    caplog.set_level(logging.DEBUG)
    with relay_before(inner, [owner, GUEST]) as relay:
        with RawClient(relay.port, owner.psk) as client:
            key = client.enter(label="laptop").session
            client.tell(job("job-77", act="marked-prompt"))
            client.ending_of("job-77")
            client.tell(job("job-78", act="raise"))
            client.ending_of("job-78")
        with pytest.raises(Exception, match="1008"):
            RawClient(relay.port, bytes(range(32)), source="127.0.7.1")
        with RawClient(relay.port, GUEST.psk) as thief:
            thief.enter(session=key)
    said = caplog.text
    for fact in ("127.0.0.1", "owner", "'my desk'", "'laptop'", "job-77", "count", "disconnected", "because", "bytes in", "1 attempts from 1 addresses"):
        assert fact in said, fact
    for hidden in (secret.reveal().encode(), owner.psk, key.encode(), bytes.fromhex(key), b"marked-prompt", bytes(range(32))):
        forms = {hidden.hex(), base64.b64encode(hidden).decode().rstrip("="), base64.urlsafe_b64encode(hidden).decode().rstrip("="), urllib.parse.quote(hidden)}
        with_text = forms | {hidden.decode(errors="replace")}
        for form in with_text:
            assert form not in said


def test_a_flood_of_refusals_is_one_line(inner: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sfumato.transport.relay")
    with relay_before(inner) as relay:
        for number in range(30):
            with pytest.raises(Exception, match="1008"):
                RawClient(relay.port, bytes(32), source=f"127.0.8.{1 + number}")
    lines = [record for record in caplog.records if "attempt" in record.getMessage()]
    assert len(lines) == 1
    assert "30 attempts from 30 addresses" in lines[0].getMessage()
