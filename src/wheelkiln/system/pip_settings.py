"""pip's own configuration: where packages come from on this machine."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wheelkiln.system.files import make_directory, write_text_atomically
from wheelkiln.system.process import Completed, Runner, mask_secrets

__all__ = ["PipSettings", "is_local", "parse_pip_settings", "read_pip_settings", "remembered_pip_settings"]

_NAME = "pip.conf"


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What pip's files and ``PIP_*`` variables say together; empty means pip's default. Values may hold secrets.

    first_index_urls are no settings of pip: they are the project's own, asked before all others. carried is a directory
    of packages in a container that cannot see those of this machine.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""
    no_index: bool = False
    first_index_urls: tuple[str, ...] = ()
    carried: str = ""

    def local_directories(self) -> tuple[Path, ...]:
        """The existing local directories among the indexes and find-links: a container needs them mounted.

        The pages of an index in ``.../simple`` commonly link to files beside it, so the directory above counts.
        """
        indexes = [_local_path(url) for url in (self.index_url, *self.extra_index_urls, *self.first_index_urls) if url]
        roots = [path.parent if path and path.name == "simple" else path for path in indexes]
        links = [_local_path(place) for place in self.find_links]
        return tuple(dict.fromkeys(path for path in (*roots, *links) if path is not None and path.is_dir()))

    def without_missing(self) -> PipSettings:
        """Drop local places that do not exist: pip only warns of them, uv stops at them."""
        return PipSettings(
            index_url=self.index_url if _present(self.index_url) else "",
            extra_index_urls=tuple(filter(_present, self.extra_index_urls)),
            find_links=tuple(filter(_present, self.find_links)),
            trusted_hosts=self.trusted_hosts,
            cert=self.cert,
            proxy=self.proxy,
            no_index=self.no_index,
            first_index_urls=tuple(filter(_present, self.first_index_urls)),
        )

    def without_local(self) -> PipSettings:
        """Drop all places on this machine, for a container elsewhere; what was carried there stands for them."""
        return replace(
            self,
            index_url="" if is_local(self.index_url) else self.index_url,
            extra_index_urls=tuple(url for url in self.extra_index_urls if not is_local(url)),
            find_links=(*(place for place in self.find_links if not is_local(place)), *filter(None, [self.carried])),
            first_index_urls=tuple(url for url in self.first_index_urls if not is_local(url)),
        )


def _local_path(source: str) -> Path | None:
    parts = urlsplit(source)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(source) if not parts.scheme and source.startswith("/") else None


def is_local(source: str) -> bool:
    """Tell whether an index or find-links entry is a place on this machine."""
    return _local_path(source) is not None


def _present(source: str) -> bool:
    path = _local_path(source)
    return path is None or path.exists()


def read_pip_settings(runner: Runner) -> PipSettings:
    """Ask pip itself (``pip config list``), so that its files, their order and its variables all count."""
    done = _ask_pip(runner)
    return parse_pip_settings(done.stdout.splitlines()) if done.ok else PipSettings()


def _ask_pip(runner: Runner) -> Completed:
    return runner.capture([sys.executable, "-m", "pip", "config", "list"])


def remembered_pip_settings(runner: Runner, environ: Mapping[str, str], cache_dir: Path) -> PipSettings:
    """Ask pip, or remember its answer while nothing has changed that it can come from.

    Asking takes a third of a second, longer than a run that builds nothing. An answer with a password in it is not
    remembered.
    """
    memory = cache_dir / "pip" / f"{_fingerprint(environ)}.txt"
    with suppress(OSError):
        return parse_pip_settings(memory.read_text(encoding="utf-8").splitlines())
    done = _ask_pip(runner)
    if done.ok and mask_secrets(done.stdout) == done.stdout:
        make_directory(memory.parent, setting="[tool.wheelkiln.cache] dir")
        write_text_atomically(memory, done.stdout)
    return parse_pip_settings(done.stdout.splitlines()) if done.ok else PipSettings()


def _fingerprint(environ: Mapping[str, str]) -> str:
    """Return a digest of the variables and the files that pip's settings come from (pip: configuration)."""
    parts = [sys.prefix, repr(sorted((name, value) for name, value in environ.items() if name.startswith("PIP_")))]
    for path in _configuration_files(environ):
        with suppress(OSError):
            about = path.stat()
            parts.append(f"{path} {about.st_ino} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _configuration_files(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or "/")
    for directory in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(directory) / "pip" / _NAME
    yield Path("/etc") / _NAME
    yield home / ".pip" / _NAME
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / _NAME
    yield Path(sys.prefix) / _NAME
    if environ.get("PIP_CONFIG_FILE"):
        yield Path(environ["PIP_CONFIG_FILE"])


def parse_pip_settings(lines: Iterable[str]) -> PipSettings:
    """Read lines such as ``global.index-url='https://...'``; variables win over files (pip: configuration)."""
    sections: dict[str, dict[str, str]] = {}
    for line in lines:
        key, separator, literal = line.partition("=")
        section, _, option = key.rpartition(".")
        if separator and section:
            sections.setdefault(section, {})[option.replace("_", "-")] = _unquote(literal)
    merged: dict[str, str] = {}
    for section in ("global", "install", "download", ":env:"):
        merged |= sections.get(section, {})
    return PipSettings(
        index_url=merged.get("index-url", ""),
        extra_index_urls=tuple(merged.get("extra-index-url", "").split()),
        find_links=tuple(merged.get("find-links", "").split()),
        trusted_hosts=tuple(merged.get("trusted-host", "").split()),
        cert=merged.get("cert", ""),
        proxy=merged.get("proxy", ""),
        no_index=merged.get("no-index", "").lower() in {"1", "true", "yes", "on"},
    )


def _unquote(literal: str) -> str:
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        return literal
