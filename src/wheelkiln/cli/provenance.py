"""``wheelkiln provenance``: a statement of where each wheel of a directory comes from, to be signed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.errors import NothingSelectedError, UsageProblem, VerificationError

if TYPE_CHECKING:
    from wheelkiln.report.builder import Builder
    from wheelkiln.report.manifest import Manifest, ManifestJob
    from wheelkiln.report.statement import WheelOrigin

__all__ = ["command"]

_SUFFIXES = {"statement": ".intoto.json", "predicate": ".slsa.json"}


@click.command("provenance", short_help="Write a statement for each wheel that a CI system can sign.")
@click.argument("place", default="wheelhouse", metavar="[DIR|MANIFEST]", type=click.Path(path_type=Path))
@click.option("--output-dir", "-o", metavar="DIR", type=click.Path(path_type=Path), help="Default: beside the wheels.")
@click.option(
    "--part",
    type=click.Choice(list(_SUFFIXES)),
    default="statement",
    show_default=True,
    help="The in-toto statement, or its predicate alone, which is what signing tools take.",
)
@click.option("--builder", "builder_id", default="", metavar="URI", help="Who built; default: what the CI system says.")
@click.option("--stdout", is_flag=True, help="Print them instead, one a line, and write nothing.")
def command(place: Path, output_dir: Path | None, part: str, builder_id: str, stdout: bool) -> None:
    """Write what SLSA calls provenance for each wheel of the manifest in DIR: source, requirements, image, builder.

    Each wheel is hashed again: one that is not what the manifest says ends with exit code 8, and nothing is written.
    The statements are not signed. Whoever signs them vouches for them.
    """
    from wheelkiln.report.builder import read_builder
    from wheelkiln.system.host import read_host

    directory, manifest = _read(place)
    origins = _gather(directory, manifest)
    builder = read_builder(read_host().environ)
    if builder_id:
        builder = replace(builder, id=_checked_uri(builder_id))
        origins = [_with_builder(origin, builder_id) for origin in origins]
    texts = {f"{origin.name}{_SUFFIXES[part]}": _text(origin, builder, part) for origin in origins}
    if stdout:
        for text in texts.values():
            click.echo(json.dumps(json.loads(text)))
        return
    _write(texts, output_dir or directory)


def _read(place: Path) -> tuple[Path, Manifest]:
    from wheelkiln.report.manifest import MANIFEST_NAME
    from wheelkiln.report.manifest_file import MOST_BYTES, parse_manifest

    path = place / MANIFEST_NAME if place.is_dir() else place
    if not path.is_file():
        raise UsageProblem(f"there is no {path}", hint="'wheelkiln build' and 'wheelkiln merge' write it.")
    if path.stat().st_size > MOST_BYTES:
        raise VerificationError(f"{path} is larger than any manifest")
    return path.parent, parse_manifest(path.read_text(encoding="utf-8", errors="replace"), where=str(path))


def _gather(directory: Path, manifest: Manifest) -> list[WheelOrigin]:
    """Look at every wheel: a manifest can be wrong, and what is signed is not taken back."""
    from wheelkiln.report.statement import contradictions, origin_of
    from wheelkiln.verify.record import read_record

    jobs = {job.wheel.name: job for job in manifest.jobs if job.wheel is not None}
    if not jobs:
        raise NothingSelectedError(f"the manifest of {directory} has no wheel")
    origins, faults = [], []
    for name, job in jobs.items():
        path = directory / name
        fault = _fault_of(path, job)
        if fault:
            faults.append(f"  {path}{fault}")
            continue
        origin = origin_of(manifest, job, read_record(path))
        origins.append(origin)
        faults += [f"  {path}: {told}" for told in contradictions(origin)]
    if faults:
        raise VerificationError("\n".join(["no provenance is written, because of", *faults]))
    return origins


def _fault_of(path: Path, job: ManifestJob) -> str:
    from wheelkiln.system.files import sha256_of

    assert job.wheel is not None
    if path.is_symlink() or not path.is_file():
        return " is not there, or is no file"
    found = sha256_of(path)
    return "" if found == job.wheel.sha256 else f": its SHA-256 is {found}, the manifest says {job.wheel.sha256}"


def _checked_uri(text: str) -> str:
    from urllib.parse import urlsplit

    if not urlsplit(text).scheme or not text.isprintable() or " " in text:
        raise UsageProblem(f"--builder {text!r} is not a URI", hint="It may be a URL or a urn: of yours.")
    return text


def _with_builder(origin: WheelOrigin, builder_id: str) -> WheelOrigin:
    made = replace(origin.made, builder=builder_id) if origin.made else None
    return replace(origin, job=replace(origin.job, made=made))


def _text(origin: WheelOrigin, builder: Builder, part: str) -> str:
    from wheelkiln.report.statement import make_predicate, make_statement

    if part == "statement":
        return make_statement(origin, builder)
    return json.dumps(make_predicate(origin, builder), indent=2, ensure_ascii=False) + "\n"


def _write(texts: dict[str, str], directory: Path) -> None:
    from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically

    make_directory(directory, setting="--output-dir")
    with naming_storage_errors(directory, setting="--output-dir"):
        for name, text in texts.items():
            write_text_atomically(directory / name, text)
    click.echo(f"{len(texts)} in {directory}:")
    for name in texts:
        click.echo(f"  {name}")
