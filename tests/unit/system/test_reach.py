"""Reaching places: what counts as an answer, and what is said of a place that gives none."""

import ssl
from collections.abc import Callable
from http.client import BadStatusLine
from pathlib import Path
from urllib.error import URLError

import pytest

from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.system.reach import Reach, reach_index, reach_url


class Sender:
    """Answers every request alike and keeps what it was asked."""

    def __init__(self, answer: Callable[[], int]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str | None, str, bool]] = []

    def __call__(self, url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int:
        self.asked.append((url, ca_bundle, proxy, verify))
        return self.answer()


def failing(error: Exception) -> Sender:
    def answer() -> int:
        raise error

    return Sender(answer)


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_any_http_answer_is_reached(status: int) -> None:
    assert reach_url(Sender(lambda: status), "https://r.example/v2/", None) == Reach("r.example", status)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (URLError(OSError(-2, "Name or service not known")), "Name or service not known"),
        (URLError(TimeoutError("timed out")), "no answer"),
        (TimeoutError(), "no answer"),
        (URLError("unknown url type"), "unknown url type"),
        (OSError("Tunnel connection to http://me:secret@proxy failed"), "Tunnel connection to http://***@proxy failed"),
        (BadStatusLine("x"), "x"),
        (ssl.SSLError(1, "handshake failure"), "handshake failure"),
    ],
)
def test_the_cause_is_said_in_a_few_words(error: Exception, trouble: str) -> None:
    reach = reach_url(failing(error), "https://r.example/v2/", None)
    assert (reach.ok, reach.place) == (False, "r.example")
    assert reach.trouble == trouble


def test_credentials_are_neither_sent_nor_shown() -> None:
    sender = Sender(lambda: 401)
    reach = reach_index(sender, "https://me:secret@i.example:8443/simple/?t=x", PipSettings(), "/ca")
    assert reach == Reach("i.example:8443", 401)
    assert sender.asked == [("https://i.example:8443/simple/", "/ca", "", True)]


def test_pips_certificate_proxy_and_trusted_hosts_are_used() -> None:
    sender = Sender(lambda: 200)
    settings = PipSettings(cert="/pip-ca", proxy="http://p:3128", trusted_hosts=("i.example",))
    reach_index(sender, "https://i.example/simple/", settings, "/ca")
    assert sender.asked == [("https://i.example/simple/", "/pip-ca", "http://p:3128", False)]


def test_a_local_index_has_to_be_there(tmp_path: Path) -> None:
    sender = Sender(lambda: 200)
    assert reach_index(sender, tmp_path.as_uri(), PipSettings(), None).ok
    assert reach_index(sender, str(tmp_path / "gone"), PipSettings(), None).trouble == "no such directory"
    assert sender.asked == []


@pytest.mark.parametrize("url", ["ftp://i.example/", "https://[broken/", "nonsense:"])
def test_other_addresses_are_named_and_not_asked(url: str) -> None:
    sender = Sender(lambda: 200)
    assert not reach_index(sender, url, PipSettings(), None).ok
    assert sender.asked == []
