"""Where a model comes from: what people write or paste, as an address to fetch and what its site says of the file. Rules: D121, N53.

    https://host/path/file.safetensors                    any web address
    hf:owner/repository/file[@revision]                   a file of Hugging Face; also the address of its page there
    civitai:model[@version][/file]                        a file of Civitai; also the address of the model's page, or of its download

What a site says is believed only from that site itself; names and checksums it gives go through the same checks as anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

from sfumato.library.models import CHECKPOINT, CONTROL, EMBEDDING, HYPERNETWORK, LORA, UPSCALER, VAE
from sfumato.library.web import Web, WebTrouble
from sfumato.protocol.errors import AddressRefused, Invalid, Problem
from sfumato.protocol.secret import Secret

Site = Literal["", "huggingface", "civitai"]

HUGGING_FACE = "huggingface.co"
CIVITAI = "civitai.com"
ANSWER_LIMIT_BYTES = 8 << 20

_HUGGING_FACE_HOSTS = (HUGGING_FACE, "www.huggingface.co", "hf.co")
_CIVITAI_HOSTS = (CIVITAI, "www.civitai.com")
_REPOSITORY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")
_REVISION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
_CIVITAI = re.compile(r"^(?P<model>\d{1,12})?(@(?P<version>\d{1,12}))?(/(?P<file>[^/]{1,255}))?$")
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
# What Civitai calls a kind of model -> the category of ours.
_CATEGORIES = {
    "checkpoint": CHECKPOINT,
    "lora": LORA,
    "locon": LORA,
    "dora": LORA,
    "textualinversion": EMBEDDING,
    "hypernetwork": HYPERNETWORK,
    "controlnet": CONTROL,
    "upscaler": UPSCALER,
    "vae": VAE,
}


@dataclass(frozen=True)
class Source:
    """A file to fetch.

    Attributes:
        url: where its bytes are; a site may lead on from there.
        site: whose it is.
        name: what it is called there, "" if the address does not say.
        sha256: what the site says its bytes have.
        size: the same, 0 if it does not say.
        category: of models, as the site says.
    """

    url: str
    site: Site = ""
    name: str = ""
    sha256: str = ""
    size: int = 0
    category: str = ""


def site_of(address: str) -> Site:
    """The site whose token an address may need. Raises nothing."""
    text = address.strip()
    if text.startswith("hf:"):
        return "huggingface"
    if text.startswith(("civitai:", "urn:air:")):
        return "civitai"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").casefold().rstrip(".")
    except ValueError:
        return ""
    if parts.scheme != "https":
        return ""
    return "huggingface" if host in _HUGGING_FACE_HOSTS else "civitai" if host in _CIVITAI_HOSTS else ""


def find(address: str, web: Web, token: Secret | None, check: Callable[[], None] = lambda: None, deadline: float | None = None) -> Source:
    """The file that an address means; Civitai is asked for it.

    Raises:
        Invalid: it is no address.
        AddressRefused: it leads to a page where no single file can be told, or the site does not know it.
        WebTrouble: the site does not answer.
    """
    text = address.strip()
    if text.startswith("hf:"):
        return _hugging_face_short(text[3:])
    if text.startswith("civitai:"):
        return _civitai_short(text[8:], web, token, check, deadline)
    if text.startswith("urn:air:"):
        return _civitai_urn(text, web, token, check, deadline)
    parts = web.checked(text)
    host = (parts.hostname or "").casefold().rstrip(".")
    if host in _HUGGING_FACE_HOSTS:
        return _hugging_face_page(parts.path)
    if host in _CIVITAI_HOSTS and not parts.path.startswith("/api/download/"):
        return _civitai_page(parts.path, parts.query, web, token, check, deadline)
    if host in _CIVITAI_HOSTS:
        return _civitai_download(parts.path, text, web, token, check, deadline)
    return Source(text, name=_last(parts.path))


def told_by_hugging_face(headers: Mapping[str, str]) -> tuple[str, int]:
    """(SHA-256, bytes) of a large file, as the answer of its own site says; "" and 0 for what it does not."""
    digest = headers.get("x-linked-etag", "").strip().removeprefix("W/").strip('"').casefold()
    size = headers.get("x-linked-size", "")
    return (digest if _DIGEST.match(digest) else ""), (int(size) if size.isdigit() and len(size) < 16 else 0)


def suggested_name(disposition: str) -> str:
    """The name in a Content-Disposition header, "" if there is none; as little to be trusted as any."""
    extended = re.search(r"filename\*\s*=\s*(?:UTF-8|ISO-8859-1)'[^']*'([^;\s]+)", disposition, re.IGNORECASE)
    if extended:
        return unquote(extended[1], errors="replace")
    plain = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', disposition, re.IGNORECASE)
    return re.sub(r"\\(.)", r"\1", plain[1]) if plain and plain[1] is not None else plain[2] if plain else ""


# -- Hugging Face --------------------------------------------------------------------------------


def _hugging_face_short(text: str) -> Source:
    path, at, revision = text.rpartition("@")
    owner, repository, file = ([*(path if at else text).split("/", 2), "", ""])[:3]
    return _hugging_face(owner, repository, revision if at else "main", file)


def _hugging_face_page(path: str) -> Source:
    """The address of a file's page (blob), of its bytes (resolve, raw), written as a browser shows it."""
    parts = path.strip("/").split("/")
    if len(parts) < 5 or parts[2] not in ("blob", "resolve", "raw"):
        raise AddressRefused(
            HUGGING_FACE, "it names no file", remedy="Open the file's own page there and take that address, or write hf:owner/repository/file."
        )
    return _hugging_face(parts[0], parts[1], unquote(parts[3]), unquote("/".join(parts[4:])))


def _hugging_face(owner: str, repository: str, revision: str, file: str) -> Source:
    if not all(map(_REPOSITORY.match, (owner, repository))) or not _REVISION.match(revision) or not _is_plain(file) or ".." in revision:
        raise Invalid([Problem("address", "A file of Hugging Face is written hf:owner/repository/file, with @revision behind it if it is not main.")])
    url = f"https://{HUGGING_FACE}/{owner}/{repository}/resolve/{quote(revision, safe='')}/{quote(file)}"
    return Source(url, "huggingface", name=_last(file))


def _is_plain(file: str) -> bool:
    return bool(file) and file.isprintable() and len(file) < 1024 and not {"", ".", ".."} & set(file.split("/"))


# -- Civitai -------------------------------------------------------------------------------------


def _civitai_short(text: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Source:
    match = _CIVITAI.match(text)
    if not match or not (match["model"] or match["version"]):
        raise Invalid([Problem("address", "A model of Civitai is written civitai:model@version, with the numbers its page has; /file may follow.")])
    return _civitai(match["model"] or "", match["version"] or "", match["file"] or "", web, token, check, deadline)


def _civitai_urn(text: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Source:
    """urn:air:{what it is for}:{kind}:civitai:{model}@{version}, as the site itself names models."""
    parts = text.split(":")
    if len(parts) < 6 or parts[4] != "civitai":
        raise Invalid([Problem("address", "Only names of models at Civitai are known: urn:air:...:civitai:model@version.")])
    return _civitai_short(parts[5], web, token, check, deadline)


def _civitai_page(path: str, query: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Source:
    parts = path.strip("/").split("/")
    model = parts[1] if len(parts) > 1 and parts[0] == "models" and parts[1].isdigit() else ""
    version = parse_qs(query).get("modelVersionId", [""])[0]
    if not model or len(model) > 12 or not (version == "" or (version.isdigit() and len(version) <= 12)):
        raise AddressRefused(CIVITAI, "it names no model", remedy="Open the model's page there and take that address, or write civitai:model@version.")
    return _civitai(model, version, "", web, token, check, deadline)


def _civitai_download(path: str, text: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Source:
    """The address behind the site's own button; what the file has is asked for, so that it can be checked."""
    version = path.removeprefix("/api/download/models/").strip("/")
    if not version.isdigit() or len(version) > 12:
        raise AddressRefused(CIVITAI, "it names no model", remedy="Open the model's page there and take that address, or write civitai:model@version.")
    query = parse_qs(urlsplit(text).query)
    wanted = {name: values[0] for name, values in query.items() if name in ("type", "format", "size", "fp")}
    answer = _asked(f"https://{CIVITAI}/api/v1/model-versions/{version}", web, token, check, deadline)
    return _source(answer, "", wanted)


def _civitai(model: str, version: str, file: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Source:
    if not version:
        versions = _asked(f"https://{CIVITAI}/api/v1/models/{model}", web, token, check, deadline).get("modelVersions")
        first = versions[0] if isinstance(versions, list) and versions else None
        number = first.get("id") if isinstance(first, dict) else None
        if not isinstance(number, int):
            raise AddressRefused(CIVITAI, "the model has no version to download")
        version = str(number)
    return _source(_asked(f"https://{CIVITAI}/api/v1/model-versions/{version}", web, token, check, deadline), file, {})


def _source(version: Mapping[str, Any], wanted: str, form: Mapping[str, str]) -> Source:
    """The file of a version that is meant: by name or number, by its form, else the one the site calls primary."""
    listed = version.get("files")
    files = [file for file in listed if isinstance(file, dict)] if isinstance(listed, list) else []
    chosen = [file for file in files if wanted in (str(file.get("name", "")), str(file.get("id", "")))] if wanted else _of_form(files, form)
    file = next((file for file in chosen if file.get("primary")), chosen[0] if chosen else None)
    if file is None:
        names = ", ".join(repr(file.get("name")) for file in files[:8] if str(file.get("name", "")).isprintable())
        raise AddressRefused(CIVITAI, f"this version has no such file (it has {names[:400] or 'none'})")
    url = file.get("downloadUrl")
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        host = None
    if not isinstance(url, str) or host not in _CIVITAI_HOSTS or not url.startswith("https://"):
        raise AddressRefused(CIVITAI, "the site gives no address of its own for this file")
    hashes = file.get("hashes")
    digest = str(hashes.get("SHA256", "")).casefold() if isinstance(hashes, dict) else ""
    model = version.get("model")
    kind = str(model.get("type", "")).casefold() if isinstance(model, dict) else ""
    category = VAE if str(file.get("type", "")) == "VAE" else _CATEGORIES.get(kind, "")
    name = file.get("name")
    return Source(url, "civitai", name=name if isinstance(name, str) else "", sha256=digest if _DIGEST.match(digest) else "", category=category)


def _of_form(files: list[dict[str, Any]], form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The files that are of the form an address asks for (type, format, size, fp), or all of them if none is."""

    def has(file: dict[str, Any], name: str, value: str) -> bool:
        about = file.get("metadata")
        return str(file.get("type") if name == "type" else about.get(name) if isinstance(about, dict) else "") == value

    return [file for file in files if all(has(file, name, value) for name, value in form.items())] or files


def _asked(url: str, web: Web, token: Secret | None, check: Callable[[], None], deadline: float | None) -> Mapping[str, Any]:
    """The object a site answers with. Raises `AddressRefused` or `WebTrouble`."""
    with web.open(url, headers={"Accept": "application/json"}, token=token, check=check, deadline=deadline) as answer:
        if answer.status in (401, 403):
            raise AddressRefused(answer.host, "the site asks who you are", remedy="Sign in there, and give the token it makes for you.")
        if answer.status == 404:
            raise AddressRefused(answer.host, "the site knows no such model")
        if answer.status != 200:
            raise WebTrouble(answer.host, f"the server answers {answer.status}")
        taken = bytearray()
        while block := answer.read(1 << 16):
            taken += block
            if len(taken) > ANSWER_LIMIT_BYTES:
                raise WebTrouble(answer.host, "its answer is longer than any about a model", is_refusal=True)
    try:
        found = json.loads(taken)
    except (ValueError, RecursionError):
        raise WebTrouble(answer.host, "its answer is not one about a model") from None
    if not isinstance(found, dict):
        raise WebTrouble(answer.host, "its answer is not one about a model")
    return found


def _last(path: str) -> str:
    """What the end of a path calls a file."""
    return unquote(path.rsplit("/", 1)[-1])
