"""A release's sdist from the package index, through pip's own configuration."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.source.spec import IndexSource
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.system.process import mask_secrets

if TYPE_CHECKING:
    from unearth import PackageFinder

__all__ = ["fetch_sdist"]

_TIMEOUT_SECONDS = 60.0


def fetch_sdist(wanted: IndexSource, settings: PipSettings, ca_bundle: Path | None, directory: Path) -> Path:
    """Download the sdist of a release into directory and return its path; its hash is checked against the index.

    Raise UsageProblem when the release or its sdist does not exist, EnvironmentProblem when no index answers.
    """
    import httpx2  # the client that unearth is built on
    from unearth.errors import UnpackError

    pin = f"{wanted.name}=={wanted.version}"
    try:
        with _make_client(settings, ca_bundle) as client, _collecting_troubles() as troubles:
            finder = _make_finder(settings, client)
            link = _find_link(finder, pin, wanted, troubles)
            return _inside(Path(finder.download(link, directory)), directory)
    except (httpx2.HTTPError, httpx2.InvalidURL, ConnectionError) as error:
        raise EnvironmentProblem(
            f"the package index could not be reached for {pin}: {mask_secrets(str(error))}",
            hint="Check the network, the proxy and pip's configuration ('pip config list'); see 'wheelkiln doctor'.",
        ) from error
    except UnpackError as error:
        raise EnvironmentProblem(f"the download of {pin} is damaged: {mask_secrets(str(error))}") from error


def _inside(path: Path, directory: Path) -> Path:
    """Copy a file of a local place, which unearth leaves where it is: the user's own must stay there."""
    return path if path.parent == directory else Path(shutil.copy(path, directory))


def _make_client(settings: PipSettings, ca_bundle: Path | None) -> Any:
    import ssl

    from unearth.fetchers.sync import PyPIClient

    bundle = settings.cert or (str(ca_bundle) if ca_bundle else None)
    return PyPIClient(
        trusted_hosts=settings.trusted_hosts,
        verify=ssl.create_default_context(cafile=bundle),
        timeout=_TIMEOUT_SECONDS,
        follow_redirects=True,
        proxy=settings.proxy or None,
    )


def _make_finder(settings: PipSettings, client: Any) -> PackageFinder:
    """Make the finder; without an index of one's own its default is pip's default."""
    from unearth import PackageFinder

    usable = settings.without_missing()
    index = (usable.index_url,) if usable.index_url else ()
    finder = PackageFinder(
        session=client,
        index_urls=index,
        trusted_hosts=settings.trusted_hosts,
        no_binary=[":all:"],
        ignore_compatibility=True,
    )
    if usable.no_index:
        finder.sources.clear()
    else:
        for url in usable.extra_index_urls:
            finder.add_index_url(url)
    for place in usable.find_links:
        finder.add_find_links(Path(place).as_uri() if place.startswith("/") else place)
    return finder


@contextlib.contextmanager
def _collecting_troubles() -> Iterator[list[str]]:
    """Collect what unearth only logs: an index that does not answer is not an index without the project."""
    troubles: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if "(404)" not in text:
                troubles.append(text)

    logger, collector = logging.getLogger("unearth"), Collector(level=logging.WARNING)
    propagate = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield troubles
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate


def _find_link(finder: PackageFinder, pin: str, wanted: IndexSource, troubles: list[str]) -> Any:
    matches = finder.find_matches(pin, allow_yanked=True, allow_prereleases=True)
    sdist = next((package for package in matches if not package.link.is_wheel), None)
    if sdist is not None:
        return sdist.link
    others = {
        str(package.version)
        for package in finder.find_all_packages(wanted.name, allow_yanked=True)
        if not package.link.is_wheel
    }
    if not others and troubles:
        raise ConnectionError(troubles[0])
    if not others:
        raise UsageProblem(
            f"the package index has no sdist of '{wanted.name}'",
            hint="Check the name and pip's indexes ('pip config list').",
        )
    newest = ", ".join(str(version) for version in sorted(map(Version, others), reverse=True)[:5])
    raise UsageProblem(f"the package index has no sdist of {pin}", hint=f"It has sdists of: {newest}.")
