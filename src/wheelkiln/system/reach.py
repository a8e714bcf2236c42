"""Reaching registries and package indexes: one short request each, without their credentials."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.system.process import mask_secrets

__all__ = ["Reach", "Requester", "place_of", "reach_index", "reach_url", "send_request", "silent"]

_REQUEST_SECONDS = 2.2


@dataclass(frozen=True, slots=True)
class Reach:
    """A network place, without credentials: status is its HTTP answer, None when there was none (trouble)."""

    place: str
    status: int | None = None
    trouble: str = ""

    @property
    def ok(self) -> bool:
        return not self.trouble


class Requester(Protocol):
    """Send a HEAD request and return the status of the answer; raise OSError or HTTPException when none comes."""

    def __call__(self, url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int: ...


def send_request(url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int:
    """Ask through the user's proxies (urllib reads ``https_proxy`` and ``no_proxy``) and certificates."""
    import ssl
    from urllib import request

    context = ssl.create_default_context(cafile=ca_bundle)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = request.build_opener(
        request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None),
        request.HTTPSHandler(context=context),
    )
    head = request.Request(url, method="HEAD", headers={"User-Agent": "wheelkiln"})  # noqa: S310 - see reach_url
    try:
        with opener.open(head, timeout=_REQUEST_SECONDS) as answer:
            return int(answer.status)
    except HTTPError as answer:
        answer.close()
        return answer.code


def reach_index(send: Requester, url: str, settings: PipSettings, ca_bundle: str | None) -> Reach:
    """Ask a package index with pip's proxy, certificates and trusted hosts; a local one has to be there."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return Reach(place_of(url), trouble=str(error))
    if parts.scheme in {"", "file"}:
        path = Path(unquote(parts.path))
        return Reach(str(path), trouble="" if path.is_dir() else "no such directory")
    trusted = {parts.hostname, parts.netloc.rpartition("@")[2]} & set(settings.trusted_hosts)
    return reach_url(send, url, settings.cert or ca_bundle, proxy=settings.proxy, verify=not trusted)


def reach_url(send: Requester, url: str, ca_bundle: str | None, *, proxy: str = "", verify: bool = True) -> Reach:
    """Ask without the URL's credentials: any HTTP answer, a refusal too, shows that the place is reached."""
    parts, place = urlsplit(url), place_of(url)
    if parts.scheme not in {"http", "https"}:
        return Reach(place, trouble=f"not an address that can be asked: {parts.scheme}")
    bare = urlunsplit((parts.scheme, place, parts.path, "", ""))
    try:
        return Reach(place, status=send(bare, ca_bundle=ca_bundle, proxy=proxy, verify=verify))
    except (OSError, HTTPException, ValueError) as error:
        return Reach(place, trouble=_reason(error))


def place_of(url: str) -> str:
    """The host and port, without the credentials before and the path (some hold tokens) behind."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return parts.netloc.rpartition("@")[2] or parts.path


def silent(place: str) -> Reach:
    """What stands for a place that gave no answer in time."""
    return Reach(place, trouble="no answer")


def _reason(error: Exception) -> str:
    """Unwrap urllib's error to its cause in a few words."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer"
    words = getattr(cause, "verify_message", "") or getattr(cause, "strerror", "") or str(cause)
    return mask_secrets(str(words)) or type(cause).__name__
