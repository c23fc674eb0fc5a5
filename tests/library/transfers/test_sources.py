"""What people write and paste, as the file it means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sfumato.library.transfers.sources import find, site_of, suggested_name, told_by_hugging_face
from sfumato.library.web import WebTrouble
from sfumato.protocol.errors import AddressRefused, Invalid
from sfumato.protocol.secret import Secret
from tests.support.web_server import LocalWeb, Page

RESOLVED = "https://huggingface.co/artist/paints/resolve"
DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def local() -> Iterator[LocalWeb]:
    made = LocalWeb()
    yield made
    made.close()


def civitai_file(number: int, name: str, **changes: Any) -> dict[str, Any]:
    url = f"https://civitai.com/api/download/models/678?file={number}"
    return {"id": number, "name": name, "type": "Model", "hashes": {"SHA256": DIGEST.upper()}, "downloadUrl": url, "metadata": {}} | changes


@pytest.fixture
def civitai(local: LocalWeb) -> LocalWeb:
    files = [
        civitai_file(1, "pruned.safetensors", metadata={"size": "pruned", "fp": "fp16"}),
        civitai_file(2, "full.safetensors", primary=True, metadata={"size": "full", "fp": "fp32"}),
        civitai_file(3, "own.vae.safetensors", type="VAE"),
    ]
    version = {"id": 678, "files": files, "model": {"name": "Mix", "type": "LORA"}}
    local.put("civitai.com/api/v1/models/12345", Page(json.dumps({"modelVersions": [{"id": 678}, {"id": 1}]}).encode()))
    local.put("civitai.com/api/v1/model-versions/678", Page(json.dumps(version).encode()))
    return local


@pytest.mark.rule("N53")
@pytest.mark.parametrize(
    ("address", "url", "name"),
    [
        ("hf:artist/paints/mix.safetensors", f"{RESOLVED}/main/mix.safetensors", "mix.safetensors"),
        (" hf:artist/paints/sub/my mix.safetensors@v1.0 ", f"{RESOLVED}/v1.0/sub/my%20mix.safetensors", "my mix.safetensors"),
        ("hf:artist/paints/mix.safetensors@refs/pr/1", f"{RESOLVED}/refs%2Fpr%2F1/mix.safetensors", "mix.safetensors"),
        ("https://huggingface.co/artist/paints/blob/main/mix.safetensors", f"{RESOLVED}/main/mix.safetensors", "mix.safetensors"),
        ("https://huggingface.co/artist/paints/resolve/main/sub/mix.safetensors?download=true", f"{RESOLVED}/main/sub/mix.safetensors", "mix.safetensors"),
        ("https://hf.co/artist/paints/blob/refs%2Fpr%2F1/a%20b.gguf", f"{RESOLVED}/refs%2Fpr%2F1/a%20b.gguf", "a b.gguf"),
        ("https://example.org/models/mix.safetensors?x=1", "https://example.org/models/mix.safetensors?x=1", "mix.safetensors"),
    ],
)
def test_files_of_hugging_face_and_of_the_web(local: LocalWeb, address: str, url: str, name: str) -> None:
    source = find(address, local.web(), None)
    assert (source.url, source.name) == (url, name)
    assert source.site == site_of(address) == ("huggingface" if "hugging" in url else "")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "hf:",
            "hf:artist",
            "hf:artist/paints",
            "hf:artist/paints/",
            "hf:../paints/x.gguf",
            "hf:artist/paints/../../x",
        ),
        *(
            "hf:artist/paints/a//b",
            "hf:a/b/c@../x",
            "hf:a/b/c@",
            "hf:a/b/c\nd",
            "https://huggingface.co/artist/paints",
        ),
        *(
            "https://huggingface.co/artist/paints/tree/main",
            "https://huggingface.co/",
            "civitai:",
            "civitai:x",
            "civitai:@",
            "civitai:1@x",
        ),
        *(
            "civitai:12345@678/a/b",
            "urn:air:sd1:lora:other:1@2",
            "https://civitai.com/",
            "https://civitai.com/user/x",
        ),
        *(
            "https://civitai.com/models/x",
            "https://civitai.com/models/1?modelVersionId=x",
            "https://civitai.com/api/download/models/x",
        ),
    ],
)
def test_what_names_no_file_is_refused_with_a_way_to_write_it(local: LocalWeb, address: str) -> None:
    local.asked.clear()
    with pytest.raises((Invalid, AddressRefused), match=r"written|names no|Only names|Civitai"):
        find(address, local.web(), None)
    assert local.asked == []


def test_what_is_no_address_is_refused_by_the_guard(local: LocalWeb) -> None:
    for address in ("", "mix.safetensors", "ftp://example.org/x.gguf", "file:///etc/passwd", "https://user:word@huggingface.co/a/b/blob/main/c.gguf"):
        with pytest.raises(WebTrouble):
            find(address, local.web(), None)


@pytest.mark.rule("N53")
@pytest.mark.parametrize(
    ("address", "number", "category"),
    [
        ("civitai:12345", 2, "LoRA"),
        ("civitai:12345@678", 2, "LoRA"),
        ("civitai:@678", 2, "LoRA"),
        ("civitai:12345@678/pruned.safetensors", 1, "LoRA"),
        ("civitai:12345/3", 3, "VAE"),
        ("urn:air:sd1:lora:civitai:12345@678", 2, "LoRA"),
        ("https://civitai.com/models/12345/some-mix", 2, "LoRA"),
        ("https://www.civitai.com/models/12345?modelVersionId=678", 2, "LoRA"),
        ("https://civitai.com/api/download/models/678", 2, "LoRA"),
        ("https://civitai.com/api/download/models/678?type=Model&size=pruned&fp=fp16", 1, "LoRA"),
        ("https://civitai.com/api/download/models/678?type=VAE", 3, "VAE"),
    ],
)
def test_files_of_civitai_are_asked_for_there(civitai: LocalWeb, address: str, number: int, category: str) -> None:
    source = find(address, civitai.web(), Secret("tok"))
    assert source.url.endswith(f"?file={number}")
    assert (source.site, source.sha256, source.category) == ("civitai", DIGEST, category)
    assert civitai.asked[-1].headers["authorization"] == "Bearer tok"


def test_what_civitai_says_is_not_believed_blindly(civitai: LocalWeb) -> None:
    def answer(**changes: Any) -> None:
        civitai.put("civitai.com/api/v1/model-versions/9", Page(json.dumps({"files": [civitai_file(1, "x.safetensors", **changes)]}).encode()))

    for url in ("https://evil.example/x", "http://civitai.com/x", "file:///etc/passwd", "https://[", "", 7, None):
        answer(downloadUrl=url)
        with pytest.raises(AddressRefused, match="no address of its own"):
            find("civitai:@9", civitai.web(), None)
    for digest in ("../x", 7, None, "ab"):
        answer(hashes={"SHA256": digest})
        assert find("civitai:@9", civitai.web(), None).sha256 == ""
    for body in (b"[]", b"no", b"{}", b'{"files": 7}', b'{"files": [7]}', b"[" * 100_000):
        civitai.put("civitai.com/api/v1/model-versions/9", Page(body))
        with pytest.raises((AddressRefused, WebTrouble)):
            find("civitai:@9", civitai.web(), None)
    civitai.put("civitai.com/api/v1/model-versions/9", Page(b"x" * 100_000, endless=True))
    with pytest.raises(WebTrouble, match="longer"):
        find("civitai:@9", civitai.web(), None)
    with pytest.raises(AddressRefused, match="no such model"):
        find("civitai:@10", civitai.web(), None)
    with pytest.raises(AddressRefused, match=r"pruned\.safetensors"):
        find("civitai:@678/other.safetensors", civitai.web(), None)


def test_names_and_checksums_in_headers() -> None:
    assert suggested_name('attachment; filename="a \\"b\\".safetensors"') == 'a "b".safetensors'
    assert suggested_name("attachment; filename=x.gguf; size=3") == "x.gguf"
    assert suggested_name("attachment; filename=\"x\"; filename*=UTF-8''%C3%A4.gguf") == "ä.gguf"
    assert suggested_name("inline") == ""
    assert told_by_hugging_face({"x-linked-etag": f'"{DIGEST}"', "x-linked-size": "12"}) == (DIGEST, 12)
    assert told_by_hugging_face({"x-linked-etag": '"abc"', "x-linked-size": "-1"}) == ("", 0)
