"""RECORD (PEP 376, PEP 427): every member with its digest and size, and nothing else."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelkiln.verify.contents import Digest
from wheelkiln.verify.dist_info import DistInfo
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules.made import found

__all__ = ["BadRecordError", "Row", "algorithms_of", "check_record", "read_record"]

_ALGORITHMS = ("sha256", "sha384", "sha512")
_FIELDS = 3


class BadRecordError(ValueError):
    """The text is no RECORD."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: digest and size are as written, empty where they are left out."""

    name: str
    digest: str
    size: str

    @property
    def algorithm(self) -> str:
        return self.digest.partition("=")[0]


def read_record(text: str) -> tuple[Row, ...]:
    """Read the lines; raise BadRecordError with the first that is none."""
    try:
        lines = [line for line in csv.reader(text.splitlines(keepends=True), strict=True) if line]
    except csv.Error as error:
        raise BadRecordError(str(error)) from error
    for line in lines:
        if len(line) != _FIELDS:
            raise BadRecordError(f"a line has {len(line)} fields, not {_FIELDS}: {','.join(line)[:200]}")
    return tuple(Row(*line) for line in lines)


def algorithms_of(rows: Sequence[Row]) -> dict[str, str]:
    """Return the algorithm of each member whose digest can be believed."""
    return {row.name: row.algorithm for row in rows if row.algorithm in _ALGORITHMS}


def check_record(rows: Sequence[Row], digests: Mapping[str, Digest], info: DistInfo, subject: str) -> Iterator[Finding]:
    """Yield what RECORD and the members do not say alike, each kind of fault once with the members that have it."""
    exempt = {info.record_name, f"{info.record_name}.jws", f"{info.record_name}.p7s"}
    listed = Counter(row.name for row in rows)
    faults = {
        "not listed": sorted(digests.keys() - listed.keys() - exempt),
        "listed and not there": sorted(listed.keys() - digests.keys()),
        "listed more than once": sorted(name for name, count in listed.items() if count > 1),
        **_faults_of_rows([row for row in rows if row.name in digests], digests, exempt),
    }
    for fault, names in faults.items():
        if names:
            count = f"{len(names)} member{'' if len(names) == 1 else 's'}"
            yield found(
                "record", subject, f"{count} {fault}: {names[0]}{' ...' if names[1:] else ''}", details=tuple(names[1:])
            )
    if info.record_name not in listed:
        yield found("record", subject, "RECORD does not list itself")


def _faults_of_rows(rows: Sequence[Row], digests: Mapping[str, Digest], exempt: set[str]) -> dict[str, list[str]]:
    plain = [row for row in rows if row.name not in exempt]
    return {
        "listed without a digest by SHA-256 or better": [r.name for r in plain if r.algorithm not in _ALGORITHMS],
        "with another digest than RECORD has": [
            row.name for row in plain if row.algorithm in _ALGORITHMS and row.digest != digests[row.name].text
        ],
        "with another size than RECORD has": [
            row.name for row in plain if row.size and row.size != str(digests[row.name].size)
        ],
        "listed with a digest, which cannot be": [row.name for row in rows if row.name in exempt and row.digest],
    }
