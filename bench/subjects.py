"""Getting a project ready to be measured: one sdist for all ways, its plan, and the image."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measure import reason_of, say


class NotMeasuredError(Exception):
    """A project cannot be measured at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A project that is ready to be measured: one sdist for all ways, and the image that is there."""

    name: str
    sdist: Path
    place: Path
    options: tuple[str, ...]
    image: str = ""
    arch: str = ""
    identifiers: tuple[str, ...] = ()
    settings: str = "merge"

    @property
    def prime(self) -> Path:
        """The cache directory of all that is not timed."""
        return self.place / "prime"


def prepare(source: str, place: Path, options: tuple[str, ...], settings: str) -> Subject:
    """Make the sdist, the plan and the image, so that none of them is in a measurement."""
    place.mkdir(parents=True, exist_ok=True)
    fetched = Subject(source, Path(source), place, options, settings=settings)
    subject = replace(fetched, sdist=_make_sdist(fetched), name=_title_of(source))
    plan = json.loads(_untimed(subject, "plan", "--format", "json"))
    if not plan["jobs"]:
        raise NotMeasuredError("the plan has no job")
    job = plan["jobs"][0]
    subject = replace(
        subject,
        image=job["image"],
        arch=job["arch"],
        identifiers=tuple(entry["identifier"] for entry in plan["jobs"]),
    )
    present = subprocess.run(["docker", "image", "inspect", subject.image], capture_output=True, check=False)
    if present.returncode:
        say(f"{subject.name}: making the image ...")
        _untimed(subject, "build", "--only", job["id"], "--output-dir", str(place / "first"))
    return subject


def narrowed(subject: Subject, python: str) -> Subject:
    """Return the same project for one Python."""
    kept = tuple(entry for entry in subject.identifiers if entry.startswith(f"{python}-"))
    options = [option for option in subject.options if not option.startswith("--python=")]
    return replace(subject, identifiers=kept, options=(*options, f"--python={python}"))


def _title_of(source: str) -> str:
    path = Path(source)
    return path.resolve().name.removesuffix(".tar.gz") if path.exists() else source


def _make_sdist(subject: Subject) -> Path:
    if subject.sdist.is_file():
        return subject.sdist.resolve()
    if subject.sdist.is_dir():
        target = subject.place / "sdist"
        argv = [sys.executable, "-m", "build", "--sdist", "--outdir", str(target), str(subject.sdist)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotMeasuredError(reason_of(done.stdout.splitlines() + done.stderr.splitlines()))
        return next(target.glob("*.tar.gz"))
    _untimed(subject, "plan")
    found = next(subject.prime.glob("sdists/*/*.tar.gz"), None)
    if found is None:
        raise NotMeasuredError(f"no sdist of {subject.name} was fetched")
    return found


def wheelkiln_argv(subject: Subject, command: str, cache: Path) -> list[str]:
    source = str(subject.sdist) if subject.sdist.is_file() else subject.name
    argv = [sys.executable, "-m", "wheelkiln", command, source, *subject.options, "--no-test"]
    return [*argv, f"--project-settings={subject.settings}", "--cache-dir", str(cache)]


def _untimed(subject: Subject, command: str, *options: str) -> str:
    argv = [*wheelkiln_argv(subject, command, subject.prime), *options]
    done = subprocess.run(argv, cwd=subject.place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasuredError(reason_of(done.stderr.splitlines()))
    return done.stdout


def project_settings(subject: Subject) -> dict[str, Any]:
    """Return the sdist's own [tool.cibuildwheel], which wheelkiln merges as well."""
    if subject.settings == "ignore":
        return {}
    with tarfile.open(subject.sdist) as archive:
        member = next(
            (entry for entry in archive if entry.name.count("/") == 1 and entry.name.endswith("/pyproject.toml")), None
        )
        file = archive.extractfile(member) if member else None
        text = file.read().decode() if file else ""
    table: dict[str, Any] = tomllib.loads(text).get("tool", {}).get("cibuildwheel", {})
    return table
