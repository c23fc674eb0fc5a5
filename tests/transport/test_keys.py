"""Keys and passwords: what is made, what becomes of them, and which passwords are refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.protocol.secret import Secret
from sfumato.transport import keys
from sfumato.transport.keys import Identity, ScryptParameters, common_passwords, is_key, make_secret, psk_of, refusal

SALT = bytes(range(16))
LIGHT = ScryptParameters(n=2**16)


@pytest.mark.rule("N10")
def test_a_made_secret_is_32_random_bytes_used_as_they_are() -> None:
    made = [make_secret() for _ in range(20)]
    assert len({secret.reveal() for secret in made}) == 20
    for secret in made:
        text = secret.reveal()
        assert text.startswith("sfk1.")
        assert is_key(secret)
        psk = psk_of(secret, SALT, LIGHT)
        assert len(psk) == 32
        assert base64.urlsafe_b64decode(text[5:] + "=") == psk
        assert psk_of(secret, bytes(16), ScryptParameters()) == psk, "neither salt nor parameters matter to a key"


@pytest.mark.rule("N10")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "sfk1.",
        "hunter2",
        "sfk1." + "A" * 42,
        "sfk1." + "A" * 44,
        "sfk1." + "A" * 43 + "\n",
        "sfk1." + "A" * 42 + "B",  # the last two bits of the last character are no part of a key
        "sfk1." + "A" * 42 + "=",
        "sfk1." + "A" * 42 + "+",
        "sfk2." + "A" * 43,
        "SFK1." + "A" * 43,
        " sfk1." + "A" * 43,
    ],
)
def test_what_does_not_look_like_a_key_is_a_password(text: str) -> None:
    assert not is_key(Secret(text))


@pytest.mark.rule("N10")
def test_a_password_becomes_a_psk_by_scrypt_over_its_nfc_form() -> None:
    composed, decomposed = "Z\u00fcrich caf\u00e9 12", "Zu\u0308rich cafe\u0301 12"
    expected = hashlib.scrypt(composed.encode(), salt=SALT, n=2**16, r=8, p=1, maxmem=2**27, dklen=32)
    assert psk_of(Secret(composed), SALT, LIGHT) == psk_of(Secret(decomposed), SALT, LIGHT) == expected
    assert psk_of(Secret(composed), bytes(16), LIGHT) != expected
    assert psk_of(Secret(composed + " "), SALT, LIGHT) != expected


@pytest.mark.rule("N10")
def test_the_work_that_is_asked_for_is_that_of_the_specification() -> None:
    assert ScryptParameters() == ScryptParameters(n=2**17, r=8, p=1)


@pytest.mark.rule("N10", "N12")
@pytest.mark.parametrize(
    "parameters",
    [
        ScryptParameters(n=2**15),
        ScryptParameters(n=2**19),
        ScryptParameters(n=2**30),
        ScryptParameters(n=2**17 + 1),
        ScryptParameters(n=0),
        ScryptParameters(n=1),
        ScryptParameters(r=1),
        ScryptParameters(r=16),
        ScryptParameters(p=0),
        ScryptParameters(p=2),
    ],
    ids=str,
)
def test_weak_and_absurd_parameters_are_refused(parameters: ScryptParameters) -> None:
    assert not parameters.is_acceptable
    with pytest.raises(ValueError, match="parameters"):
        psk_of(Secret("a good long password"), SALT, parameters)


@pytest.mark.rule("N12")
def test_there_is_no_empty_secret() -> None:
    with pytest.raises(ValueError, match="empty"):
        psk_of(Secret(""), SALT, LIGHT)
    assert refusal(Secret(""), is_loopback=True) == refusal(Secret(""), is_loopback=False) == keys.NO_SECRET


@pytest.mark.parametrize("salt", [b"", bytes(15), bytes(17)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(ValueError, match="salt"):
        psk_of(Secret("a good long password"), salt, LIGHT)


@pytest.mark.rule("N12")
@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("hunter2", keys.TOO_SHORT),
        ("elevenchars", keys.TOO_SHORT),
        ("u\u0308" * 6, keys.TOO_SHORT),  # six letters, however they were typed
        ("password1234", keys.TOO_COMMON),
        ("PassWord1234", keys.TOO_COMMON),
        ("Correct Horse Battery Staple", keys.TOO_COMMON),
        ("abababababab", keys.TOO_COMMON),
        ("zzzzzzzzzzzzzzzzzzzzzzz", keys.TOO_COMMON),
        ("twelve chars", ""),
        ("a quiet harbour at noon", ""),
        ("ein stiller Hafen, mittags: 🚢", ""),
    ],
)
def test_weak_passwords_are_refused_where_others_can_connect(password: str, sentence: str) -> None:
    assert refusal(Secret(password), is_loopback=False) == sentence
    assert refusal(Secret(password), is_loopback=True) == ""


@pytest.mark.parametrize("password", ["a quiet\tharbour at noon", "a quiet harbour\n", "a quiet harbour at \u202enoon", "a quiet harbour at \ud800"])
def test_a_password_that_no_link_could_carry_is_refused_at_once(password: str) -> None:
    assert refusal(Secret(password), is_loopback=False) == refusal(Secret(password), is_loopback=True) == keys.NOT_PRINTABLE
    # A client that is given one all the same is only wrong.
    assert len(psk_of(Secret(password), SALT, LIGHT)) == 32


@pytest.mark.rule("N12")
def test_a_made_secret_is_good_everywhere() -> None:
    assert refusal(make_secret(), is_loopback=False) == refusal(make_secret(), is_loopback=True) == ""


@pytest.mark.rule("N12")
def test_the_list_of_common_passwords_is_shipped_and_each_of_it_is_refused() -> None:
    listed = common_passwords()
    assert len(listed) > 500
    assert sum(len(password) >= keys.PASSWORD_CHARACTERS for password in listed) > 300
    assert keys.COMMON_PASSWORDS.parent.name == "transport"
    for password in listed:
        assert password == password.casefold().strip()
        assert refusal(Secret(password), is_loopback=False) in (keys.TOO_COMMON, keys.TOO_SHORT)
        assert refusal(Secret(password.upper()), is_loopback=False) != ""


@given(st.text(max_size=60))
@settings(deadline=None)
def test_no_text_at_all_breaks_the_judgement_or_is_repeated_by_it(text: str) -> None:
    for is_loopback in (True, False):
        sentence = refusal(Secret(text), is_loopback)
        assert sentence in ("", keys.NO_SECRET, keys.NOT_PRINTABLE, keys.TOO_SHORT, keys.TOO_COMMON)


@pytest.mark.rule("N62")
def test_an_identity_does_not_print_what_opens_it() -> None:
    psk = bytes(range(32))
    shown = repr(Identity("Ada's laptop", "guest", psk, "guest-1"))
    assert "Ada's laptop" in shown
    assert repr(psk)[2:-1] not in shown
    assert psk.hex() not in shown


@pytest.mark.rule("X32")
def test_secrets_are_compared_by_digests_of_one_length() -> None:
    assert Secret("a word") == Secret("a word")
    assert Secret("a word") != Secret("a word and more")
    assert Secret("\ud800") != Secret("")
    assert Secret("a word") != "a word"
