from __future__ import annotations

from tests.values import make_job
from wheelkiln.build.landing import Landing, Ruling, Verdict

_PYTHONS = ("cp310", "cp311", "cp312", "cp313")
_JOBS = {python: make_job(f"{python}-manylinux_x86_64", version="1.2") for python in _PYTHONS}
_STABLE = "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl"
_LANDS, _WAITS = Ruling(Verdict.LANDS), Ruling(Verdict.WAITS)


def _own(python: str) -> str:
    return f"kern-1.2-{python}-{python}-manylinux_2_17_x86_64.whl"


def test_a_wheel_for_one_python_waits_for_nobody() -> None:
    landing = Landing(_JOBS.values())
    assert [landing.ask(_JOBS[python], _own(python)) for python in reversed(_PYTHONS)] == [_LANDS] * 4


def test_one_that_serves_an_earlier_python_waits_for_its_job() -> None:
    landing = Landing(_JOBS.values())
    assert landing.ask(_JOBS["cp312"], _STABLE) == _WAITS
    landing.hold(_JOBS["cp312"], _STABLE)
    assert landing.next_due() is None
    assert landing.ask(_JOBS["cp310"], _STABLE) == _LANDS
    landing.end(_JOBS["cp310"], _STABLE)
    landing.end(_JOBS["cp311"])
    assert landing.next_due() == _JOBS["cp312"]
    assert landing.ask(_JOBS["cp312"], _STABLE) == Ruling(Verdict.COVERED, _STABLE)
    assert landing.next_due() is None


def test_it_does_not_wait_for_pythons_that_it_does_not_serve() -> None:
    landing = Landing(_JOBS.values())
    assert landing.ask(_JOBS["cp312"], "kern-1.2-cp312-abi3-manylinux_2_17_x86_64.whl") == _LANDS


def test_nor_for_jobs_of_other_editions_and_platforms() -> None:
    others = [
        make_job("cp310-manylinux_x86_64", id="1.1/cp310", version="1.1"),
        make_job("cp310-manylinux_x86_64", id="cp310@avx2", version="1.2", variant="avx2"),
        make_job("cp310-musllinux_x86_64", version="1.2"),
        make_job("cp310-manylinux_aarch64", version="1.2"),
    ]
    assert Landing([*others, _JOBS["cp312"]]).ask(_JOBS["cp312"], _STABLE) == _LANDS


def test_the_earliest_lands_where_the_first_one_fails() -> None:
    landing = Landing(_JOBS.values())
    for python in ("cp313", "cp311"):
        assert landing.ask(_JOBS[python], _STABLE) == _WAITS
        landing.hold(_JOBS[python], _STABLE)
    landing.end(_JOBS["cp310"])
    assert landing.next_due() == _JOBS["cp311"]
    assert landing.ask(_JOBS["cp311"], _STABLE) == _LANDS
    assert landing.next_due() is None, "cp312 may still be built, and cp313 must not be before it"
    landing.end(_JOBS["cp311"], _STABLE)
    landing.end(_JOBS["cp312"])
    assert landing.next_due() == _JOBS["cp313"]
    assert landing.ask(_JOBS["cp313"], _STABLE).verdict is Verdict.COVERED


def test_what_has_not_begun_is_served_but_for_the_earliest() -> None:
    landing = Landing(_JOBS.values())
    landing.hold(_JOBS["cp312"], _STABLE)
    assert [landing.covering(_JOBS[python]) for python in _PYTHONS] == ["", _STABLE, _STABLE, _STABLE]
    assert landing.covering(make_job("cp313-manylinux_x86_64", id="x", version="1.1")) == ""


def test_a_landed_wheel_of_another_name_covers_as_well() -> None:
    """As it does where it is there before the other job begins."""
    landing = Landing(_JOBS.values())
    newer = "kern-1.2-cp310-abi3-manylinux_2_28_x86_64.whl"
    landing.end(_JOBS["cp310"], newer)
    assert landing.ask(_JOBS["cp311"], _STABLE) == Ruling(Verdict.COVERED, newer)
