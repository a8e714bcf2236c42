from __future__ import annotations

import json

from tests.unit.cache.values import HIT, make_call, make_record
from wheelkiln.cache.causes import Cause, Diagnosis, Weight
from wheelkiln.report.diagnoses import Examined, diagnosis_lines, examined_json, examined_lines

FOUND = Diagnosis(
    Cause.FLAGS_CHANGED,
    Weight.FAULT,
    "the flags changed",
    tuple(f"src/{name}.c" for name in "abcdefg"),
    "added -DX\x1b[31m",
    "Keep them as they are.",
)
RECORD = make_record(make_call("a.c"), make_call("b.c", results=HIT))


def test_a_job_is_told_with_what_to_do() -> None:
    assert list(examined_lines(Examined(RECORD, compared=True, diagnoses=(FOUND,)), 200)) == [
        "cp312-manylinux_x86_64: 1/2 hits",
        "  cause: the flags changed [flags-changed]",
        "    in src/a.c, src/b.c, src/c.c, src/d.c, src/e.c and 2 more",
        "    added -DX [31m",
        "    try: Keep them as they are.",
    ]


def test_nothing_wrong_and_nothing_to_compare_with() -> None:
    lines = list(examined_lines(Examined(RECORD, compared=False, diagnoses=()), 200))
    assert lines == [
        "cp312-manylinux_x86_64: 1/2 hits, no earlier build to compare with",
        "  nothing is wrong: every compilation was served",
    ]


def test_lines_fit_a_narrow_terminal() -> None:
    lines = list(diagnosis_lines(FOUND, 40, all_units=True))
    assert max(map(len, lines)) <= 40
    assert "src/g.c" in "".join(lines)


def test_json_has_all_units() -> None:
    (job,) = examined_json([Examined(RECORD, compared=True, diagnoses=(FOUND,))])
    assert (job["job"], job["hits"], job["misses"], job["compared"]) == ("cp312-manylinux_x86_64", 1, 1, True)
    diagnosis = json.loads(json.dumps(job))["diagnoses"][0]
    assert (diagnosis["cause"], diagnosis["weight"], len(diagnosis["units"])) == ("flags-changed", "fault", 7)
