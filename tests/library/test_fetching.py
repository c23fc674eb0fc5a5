"""What is fetched from an address that a person dropped, and what is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sfumato.library.fetching import fetch_picture
from sfumato.protocol.errors import ImageUnreadable
from tests.support.web_server import LocalWeb, Page

PNG = b"\x89PNG\r\n\x1a\n" + bytes(300)
HOST = "pictures.example"


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    local = LocalWeb()
    for path, page in {
        "picture.png": Page(PNG, media="image/png"),
        "%C3%A9t%C3%A9.png": Page(PNG, media="image/png"),
        "page": Page(b"<html>", media="text/html"),
        "drawing": Page(b"<svg/>", media="image/svg+xml"),
        "endless": Page(status=302, location="/endless"),
        "file": Page(status=302, location="file:///etc/passwd"),
        "moved": Page(status=301, location="/picture.png"),
        "short": Page(PNG, media="image/png", length=len(PNG) + 5),
        "silent": Page(silent=True),
        "trickle": Page(PNG, media="image/png", block=1, gate=threading.Event()),
        "unsized": Page(PNG * 20, media="image/png", length=None),
    }.items():
        local.put(f"{HOST}/{path}", page)
    yield local
    local.close()


def refusal(web: LocalWeb, url: str, **arguments: Any) -> str:
    with pytest.raises(ImageUnreadable) as caught:
        fetch_picture(url, web=web.web(), **arguments)
    return caught.value.message


@pytest.mark.rule("D156")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_picture_arrives_with_its_name_also_after_a_redirect(web: LocalWeb, scheme: str) -> None:
    for page, name in (("/picture.png?size=9", "picture.png"), ("/moved", "picture.png"), ("/été.png", "été.png")):
        found = fetch_picture(f"{scheme}://{HOST}{page}", web=web.web())
        assert (found.data, found.name) == (PNG, name)
    assert not {"cookie", "referer", "authorization"} & set(web.asked[-1].headers)


@pytest.mark.rule("D156")
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("/page", "text/html"),
        ("/drawing", "svg"),
        ("/gone", "404"),
        ("/endless", "without end"),
        ("/file", "http://"),
        ("/short", "broke off"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(web: LocalWeb, page: str, words: str) -> None:
    sentence = refusal(web, f"http://{HOST}{page}")
    assert words in sentence
    assert "drop the file" in sentence


@pytest.mark.rule("D156")
def test_too_large_and_too_slow_are_cut_off(web: LocalWeb) -> None:
    assert "more than 0 MiB" in refusal(web, f"http://{HOST}/picture.png", limit_bytes=100)
    assert "more than 0 MiB" in refusal(web, f"http://{HOST}/unsized", limit_bytes=100)
    for page in ("/silent", "/trickle"):
        assert "within 0.3 seconds" in refusal(web, f"http://{HOST}{page}", timeout_s=0.3)


def test_other_schemes_and_passwords_in_addresses_are_refused(web: LocalWeb) -> None:
    for url in ("ftp://example.org/a.png", "file:///etc/passwd", "data:image/png;base64,AA", "http://", "http://[", "javascript:1"):
        assert "begin with http://" in refusal(web, url) or "damaged" in refusal(web, url), url
    assert "password" in refusal(web, "http://me:secret@example.org/a.png")
    assert "secret" not in refusal(web, "http://me:secret@example.org/a.png")


@pytest.mark.parametrize("url", ["http://exa\0mple.com/a.png", "http://" + "a" * 80 + ".example/a.png", "http://a..b/a.png", "http://[::1]/\ud800.png"])
def test_addresses_that_no_name_server_takes_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ImageUnreadable, match="is not a picture"):
        fetch_picture(url)
