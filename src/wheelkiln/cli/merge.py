"""``wheelkiln merge``: the output of several machines as one wheelhouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.errors import BuildError, UsageProblem, VerificationError

if TYPE_CHECKING:
    from wheelkiln.report.agreement import Part
    from wheelkiln.report.manifest import Manifest
    from wheelkiln.system.process import Runner
    from wheelkiln.verify.checks import Expectation

__all__ = ["Merging", "command", "merge_directories"]


@click.command("merge", short_help="Join what several machines or shards built into one wheelhouse.")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option("--output-dir", "-o", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to.")
@click.option("--allow-missing", is_flag=True, help="Merge although shards are missing.")
@click.option("--cache-dir", metavar="DIR", help="Directory of all caches; its locks keep runs apart.")
@click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Format."
)
@click.option("--verbose", "-v", is_flag=True, help="Show every command that is run.")
def command(
    directories: tuple[Path, ...],
    output_dir: Path,
    allow_missing: bool,
    cache_dir: str | None,
    output: str,
    verbose: bool,
) -> None:
    """Join output directories of 'build' into one, with one manifest: of shards, or of machines.

    Each wheel must have the digest that its manifest says, and is checked again. All must be of the same source and
    configuration, and no shard may be missing. Nothing lands where anything is wrong. The output directory may be one
    of those that are merged. Jobs that failed stay in the manifest, and the exit code is then 7. Rules for wheels are
    those that the configuration of the working directory asks for.
    """
    from wheelkiln.cache.settings import cache_root
    from wheelkiln.cli.console import log_command
    from wheelkiln.config.load import load_config
    from wheelkiln.system.host import read_host
    from wheelkiln.system.process import ProcessRunner
    from wheelkiln.verify.checks import Expectation

    host = read_host()
    config = load_config(host.cwd, host.environ, {"cache.dir": cache_dir} if cache_dir else {}).config
    merging = Merging(
        places=tuple(dict.fromkeys((host.cwd / directory).resolve() for directory in directories)),
        target=(host.cwd / output_dir).resolve(),
        locks=cache_root(config, host) / "locks",
        runner=ProcessRunner(log_command if verbose else None),
        width=host.cpus,
        allow_missing=allow_missing,
        expected=replace(
            Expectation.configured(config.verify, variants=config.variants), excluded=config.repair.exclude
        ),
    )
    manifest = merge_directories(merging)
    _print(manifest, merging, output)
    _judge(manifest)


@dataclass(frozen=True, slots=True)
class Merging:
    """What is to be merged to where; width is how many wheels are checked side by side, expected what all must be."""

    places: tuple[Path, ...]
    target: Path
    locks: Path
    runner: Runner
    width: int = 1
    allow_missing: bool = False
    expected: Expectation | None = None


def merge_directories(merging: Merging) -> Manifest:
    """Merge all places into the target, wheels first, the manifest last; print what the user should know."""
    from wheelkiln.cli.console import print_notices
    from wheelkiln.report.joining import join_manifests
    from wheelkiln.report.manifest import MANIFEST_NAME, write_manifest_text
    from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically
    from wheelkiln.system.locks import exclusive

    target = merging.target

    def queue() -> None:
        click.echo(f"another run works in {target}; waiting for it to end", err=True)

    with exclusive(merging.locks, f"output {target}", on_wait=queue):
        parts = tuple(_read_part(place) for place in merging.places)
        manifest, notices = join_manifests(parts, allow_missing=merging.allow_missing)
        print_notices(notices)
        make_directory(target, setting="--output-dir")
        _gather(parts, merging)
        with naming_storage_errors(target, setting="--output-dir"):
            write_text_atomically(target / MANIFEST_NAME, write_manifest_text(manifest))
    return manifest


def _read_part(place: Path) -> Part:
    from wheelkiln.report.agreement import Part
    from wheelkiln.report.manifest import MANIFEST_NAME
    from wheelkiln.report.manifest_file import MOST_BYTES, parse_manifest

    path = place / MANIFEST_NAME
    if not path.is_file():
        raise UsageProblem(
            f"there is no {path}", hint="'wheelkiln build' writes it beside the wheels; keep it together with them."
        )
    if path.stat().st_size > MOST_BYTES:
        raise VerificationError(f"{path} is larger than any manifest")
    return Part(place, parse_manifest(path.read_text(encoding="utf-8", errors="replace"), where=str(path)))


def _gather(parts: Sequence[Part], merging: Merging) -> None:
    from wheelkiln.build.gathering import Claim, gather_wheels

    claims = [
        Claim(part.place, job.wheel, job.project, job.version, job.identifier, job.variant)
        for part in parts
        for job in part.manifest.jobs
        if job.wheel is not None
    ]
    gather_wheels(claims, merging.target, merging.runner, width=merging.width, base=merging.expected)


def _print(manifest: Manifest, merging: Merging, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(asdict(manifest)))
        return
    wheels = sorted({job.wheel.name for job in manifest.jobs if job.wheel})
    count = len(merging.places)
    click.echo(
        f"{len(wheels)} wheel{'' if len(wheels) == 1 else 's'} in {merging.target}, "
        f"of {count} director{'y' if count == 1 else 'ies'}:"
    )
    for name in wheels:
        click.echo(f"  {name}")


def _judge(manifest: Manifest) -> None:
    """End as the builds did whose jobs failed."""
    from wheelkiln.build.outcome import Status

    good = (Status.BUILT, Status.REUSED, Status.COVERED)
    failed = [job for job in manifest.jobs if job.status not in good]
    if not failed:
        return
    told = [f"  {job.id}: {job.message}" for job in failed]
    message = "\n".join([f"{len(failed)} of {len(manifest.jobs)} jobs failed:", *told])
    hint = "What was built is merged. Run the same 'build' again for what is missing, and merge again."
    if all(job.status is Status.REJECTED for job in failed):
        raise VerificationError(message, hint=hint)
    raise BuildError(message, hint=hint)
