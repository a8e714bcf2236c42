from __future__ import annotations

from pathlib import Path, PurePosixPath

from tests.values import make_request
from wheelkiln.build.cores import COUNT_VARIABLES, Cores
from wheelkiln.build.request import job_key, make_invocation

_SERVED = Cores(jobserver=Path("/run/x/jobserver"), budget=4)


def test_who_is_told_nothing_has_no_variables() -> None:
    assert Cores().environment() == {}
    assert Cores().mounts == ()


def test_a_number_is_told_in_every_way_that_is_read() -> None:
    assert Cores(count=3).environment() == dict.fromkeys(COUNT_VARIABLES, "3")
    assert "CMAKE_BUILD_PARALLEL_LEVEL" in COUNT_VARIABLES
    assert Cores(count=3).mounts == ()


def test_the_jobserver_is_announced_and_mounted_and_no_number_displaces_it() -> None:
    assert _SERVED.environment() == {"MAKEFLAGS": " -j4 --jobserver-auth=fifo:/opt/wheelkiln/mnt/jobserver/tokens"}
    mount = _SERVED.mounts[0]
    assert (mount.source, mount.target) == (
        PurePosixPath("/run/x/jobserver"),
        PurePosixPath("/opt/wheelkiln/mnt/jobserver"),
    )


def test_elsewhere_it_is_announced_by_its_own_place() -> None:
    assert _SERVED.environment(PurePosixPath("/run/x/jobserver"))["MAKEFLAGS"].endswith("fifo:/run/x/jobserver/tokens")


def test_cores_reach_the_container_and_no_jobs_key() -> None:
    plain, job = make_request(), make_request().plan.jobs[0]
    for cores in (_SERVED, Cores(count=3)):
        request = make_request(cores=cores)
        invocation = make_invocation(request, (job,), Path("/run/x/job"), "r")
        assert invocation.environment.items() >= cores.environment().items()
        assert set(cores.mounts) <= set(invocation.read_only)
        assert job_key(request, job) == job_key(plain, job)
