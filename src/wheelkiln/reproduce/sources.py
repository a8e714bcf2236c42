"""The source that a record names: fetched or given, and held to the record's digests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.source.edition import Patch, Publication, make_edition
from wheelkiln.source.origin import OriginKind
from wheelkiln.source.prepare import PreparedSource, prepare_source
from wheelkiln.source.spec import DirectorySource, IndexSource, SdistSource, SourceSpec, parse_source
from wheelkiln.system.host import HostFacts
from wheelkiln.system.process import Runner
from wheelkiln.verify.record import Record, RecordedEdition

__all__ = ["fetch_source"]


def fetch_source(
    record: Record,
    given: Path | None,
    *,
    host: HostFacts,
    runner: Runner,
    work_dir: Path,
    cache_dir: Path,
    say: Callable[[str], None],
) -> PreparedSource:
    """Return the sdist that the wheel was built from, with the edition's changes.

    given is a directory or an sdist that stands for what the record names. Raise VerificationError when it is not the
    same, and what prepare_source raises when it cannot be had.
    """
    dated = replace(host, environ={**host.environ, "SOURCE_DATE_EPOCH": str(record.epoch)})
    spec = _spec_of(record, given, host.cwd)
    prepared = prepare_source(spec, host=dated, runner=runner, work_dir=work_dir, cache_dir=cache_dir, say=say)
    if prepared.digest != record.source.digest:
        raise _differs(record, prepared, spec)
    if record.edition is None:
        return prepared
    place = work_dir / "edition"
    place.mkdir()
    return _change(prepared, record.edition, place, say)


def _spec_of(record: Record, given: Path | None, cwd: Path) -> SourceSpec:
    source = record.source
    if given is not None:
        spec = parse_source(str(given), cwd)
        if not isinstance(spec, DirectorySource | SdistSource):
            raise UsageProblem(f"--source {given} is neither a directory nor an sdist")
        return spec
    if source.kind is OriginKind.INDEX:
        return IndexSource(source.project, source.version)
    if source.url:
        return parse_source(f"git+{source.url}@{source.commit}", cwd)
    what = {
        OriginKind.SDIST: f"the sdist {source.file}",
        OriginKind.GIT: f"the commit {source.commit} of a repository on somebody's machine",
    }.get(source.kind, "a directory")
    raise UsageProblem(
        f"the wheel was built from {what}, and its record cannot say where that is",
        hint=f"Give it with --source: {source.project} {source.version}, as it was then.",
    )


def _change(
    prepared: PreparedSource, edition: RecordedEdition, place: Path, say: Callable[[str], None]
) -> PreparedSource:
    changes = edition.changes
    readme = place / changes.readme.name if changes.readme else None
    if changes.readme and readme:
        readme.write_bytes(changes.readme.content)
    patches = []
    for number, text in enumerate(changes.patches):
        (place / str(number)).mkdir()
        patches.append(Patch(place / str(number) / text.name))
        patches[-1].path.write_bytes(text.content)
    publication = Publication(
        name=changes.name,
        description=changes.description,
        readme=str(readme or ""),
        version_suffix=changes.version_suffix,
        classifiers=changes.classifiers,
    )
    made = make_edition(prepared, publication, patches, extra_requires=changes.requires, work_dir=place, say=say)
    if made.digest != edition.digest:
        raise VerificationError(
            f"the changes of the edition made another sdist of {prepared.title} than they did when the wheel was built",
            hint="Another version of wheelkiln may write them differently: the record says which one it was.",
        )
    return made


def _differs(record: Record, prepared: PreparedSource, spec: SourceSpec) -> VerificationError:
    source = record.source
    if isinstance(spec, DirectorySource):
        hint = "Is it at the same commit, without other changes? The backend that makes the sdist may also be newer."
    elif isinstance(spec, SdistSource):
        hint = f"The wheel was built from {source.file or 'an sdist of another content'}."
    else:
        hint = "The index or repository has other files by now. --source takes an sdist that you have."
    return VerificationError(
        f"the source is not the one that the wheel was built from: {prepared.title} has the digest "
        f"{prepared.digest[:16]}, and the record has {source.project} {source.version} with {source.digest[:16]}",
        hint=hint,
    )
