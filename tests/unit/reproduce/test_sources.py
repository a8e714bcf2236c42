"""The source of a rebuild is held to the digests of the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import write_sdist
from tests.fakes import FakeRunner
from tests.values import make_host, make_record
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.reproduce.sources import fetch_source
from wheelkiln.source.edition import Publication, make_edition
from wheelkiln.source.origin import EditionChanges, OriginKind, SourceOrigin
from wheelkiln.source.prepare import PreparedSource, prepare_source
from wheelkiln.source.spec import SdistSource
from wheelkiln.verify.record import Record, RecordedEdition

_FILES = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "kern"\nversion = "1.2"\n',
}


def _fetch(record: Record, given: Path | None, place: Path) -> PreparedSource:
    work = place / "work"
    work.mkdir()
    return fetch_source(
        record,
        given,
        host=make_host(cwd=place),
        runner=FakeRunner(),
        work_dir=work,
        cache_dir=place / "cache",
        say=lambda _: None,
    )


def _prepared(sdist: Path) -> PreparedSource:
    place = sdist.parent
    return prepare_source(
        SdistSource(sdist), host=make_host(), runner=FakeRunner(), work_dir=place, cache_dir=place / "cache"
    )


def _record_of(prepared: PreparedSource) -> Record:
    assert prepared.origin is not None
    return make_record(source=prepared.origin, edition=None, epoch=1_500_000_000)


def test_the_same_sdist_is_taken_with_the_time_of_the_record(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path / "kern-1.2.tar.gz", _FILES)
    found = _fetch(_record_of(_prepared(sdist)), sdist, tmp_path)
    assert (found.sdist, found.epoch) == (sdist, 1_500_000_000)


def test_another_source_is_refused(tmp_path: Path) -> None:
    record = _record_of(_prepared(write_sdist(tmp_path / "kern-1.2.tar.gz", _FILES)))
    other = write_sdist(tmp_path / "other.tar.gz", {**_FILES, "kern.c": "int main;"})
    with pytest.raises(VerificationError, match="not the one that the wheel was built from") as caught:
        _fetch(record, other, tmp_path)
    assert "kern-1.2.tar.gz" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OriginKind.DIRECTORY, "a directory"),
        (OriginKind.SDIST, r"the sdist kern-1.2.tar.gz"),
        (OriginKind.GIT, "the commit  of a repository on somebody's machine"),
    ],
)
def test_what_nobody_can_fetch_has_to_be_given(tmp_path: Path, kind: OriginKind, words: str) -> None:
    origin = SourceOrigin(kind, "kern", "1.2", "d" * 64, "kern-1.2.tar.gz" if kind is OriginKind.SDIST else "")
    with pytest.raises(UsageProblem, match=f"built from {words}") as caught:
        _fetch(make_record(source=origin), None, tmp_path)
    assert "--source" in caught.value.hint


def test_an_edition_is_made_again(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path / "kern-1.2.tar.gz", _FILES)
    patch = tmp_path / "fix.patch"
    patch.write_text("--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int x;\n")
    prepared = _prepared(sdist)
    (tmp_path / "edition").mkdir()
    from wheelkiln.source.edition import Patch

    made = make_edition(
        replace(prepared, epoch=1_500_000_000),
        Publication(name="kern-fast", version_suffix="+v4"),
        [Patch(patch)],
        work_dir=tmp_path / "edition",
    )
    assert made.changes is not None
    record = replace(_record_of(prepared), edition=RecordedEdition(made.digest, made.changes))
    found = _fetch(record, sdist, tmp_path)
    assert (found.digest, found.facts.name) == (made.digest, "kern-fast")
    assert found.changes == made.changes


def test_an_edition_that_comes_out_differently_is_refused(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path / "kern-1.2.tar.gz", _FILES)
    record = _record_of(_prepared(sdist))
    record = replace(record, edition=RecordedEdition("0" * 64, EditionChanges(name="kern-fast")))
    with pytest.raises(VerificationError, match="another sdist"):
        _fetch(record, sdist, tmp_path)
