from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FakeRunner
from tests.remote_docker import FakeRemoteDocker
from tests.values import make_engine, make_host, make_inputs, make_job, make_request
from wheelkiln.build.carrier import carrying
from wheelkiln.build.cibuildwheel_config import render_create_args
from wheelkiln.build.environment_places import EnvironmentVolumes
from wheelkiln.build.request import BuildRequest, JobEnvironment, make_invocation
from wheelkiln.build.runs import owner_of
from wheelkiln.build.volumes import VolumeNames
from wheelkiln.cache.lock import LockedEnvironment
from wheelkiln.cache.settings import ENVIRONMENT_DIR
from wheelkiln.errors import EnvironmentProblem

RUN = "abc-20260101T000000-1-aa"


@pytest.fixture
def docker(tmp_path: Path) -> FakeRemoteDocker:
    return FakeRemoteDocker(tmp_path / "docker")


@pytest.fixture
def request_there(tmp_path: Path, docker: FakeRemoteDocker) -> BuildRequest:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificates")
    inputs = make_inputs(host=make_host(ca_bundle=bundle))
    engine = make_engine(FakeRunner(docker.script()), elsewhere=True, host="attic")
    return make_request(inputs, root=tmp_path, engine=engine)


def job_directory(tmp_path: Path) -> Path:
    job_dir = tmp_path / "run" / "job"
    (job_dir / "mount").mkdir(parents=True)
    (job_dir / "mount" / "pins.txt").write_text("setuptools==1")
    return job_dir


def test_a_job_elsewhere_mounts_volumes_alone(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    job_dir = job_directory(tmp_path)
    invocation = make_invocation(request_there, (make_job(),), job_dir / "mount", RUN)
    with carrying(request_there, invocation, job_dir, RUN) as carried:
        arguments = render_create_args(carried, request_there.config)
        mounts = [argument for argument in arguments if argument.startswith("--mount=")]
        assert all(argument.startswith("--mount=type=volume,") for argument in mounts)
        assert str(tmp_path) not in " ".join(arguments)
        assert "--user=1000:1000" in arguments
        targets = {mount.target.name: mount for mount in carried.volumes}
        assert targets["mnt"].read_only, "the certificates"
        assert (docker.root / targets["mnt"].name / "ca-bundle.pem").read_text() == "certificates"
        assert (docker.root / targets["job"].name / "pins.txt").read_text() == "setuptools==1"
        (docker.root / targets["job"].name / "ccache.log").write_text("statistics")
    assert (job_dir / "mount" / "ccache.log").read_text() == "statistics"
    assert docker.containers == {}
    owner = owner_of(request_there.cache_root)
    caches = ("ccache", "uv", "links", "cython")
    assert set(docker.volumes) == {f"wheelkiln-{owner}-{name}" for name in caches}, "caches stay"
    assert set(docker.owners.values()) == {1000}, "what is carried there belongs to who builds"
    assert Path(f"wheelkiln-{owner}-ccache") in docker.owners, "and the caches' directories, too"


def test_of_what_is_built_only_plain_files_come_back(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    job_dir = job_directory(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("mine")
    invocation = make_invocation(request_there, (make_job(),), job_dir / "mount", RUN)
    with carrying(request_there, invocation, job_dir, RUN) as carried:
        job = next(docker.root / mount.name for mount in carried.volumes if mount.target.name == "job")
        (job / "ccache.log").symlink_to(secret)
        (job / "more").symlink_to(tmp_path)
        (job / "deep").mkdir()
        (job / "deep/x").write_text("x")
    assert sorted(path.name for path in (job_dir / "mount").iterdir()) == ["deep", "pins.txt"]
    assert (job_dir / "mount/deep/x").read_text() == "x"


def test_what_a_failed_job_wrote_comes_back_and_its_volumes_go(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    job_dir = job_directory(tmp_path)
    invocation = make_invocation(request_there, (make_job(),), job_dir / "mount", RUN)

    def fail() -> None:
        with carrying(request_there, invocation, job_dir, RUN) as carried:
            job = next(docker.root / mount.name for mount in carried.volumes if mount.target.name == "job")
            (job / "ccache.log").write_text("half")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()
    assert (job_dir / "mount" / "ccache.log").read_text() == "half"
    assert docker.containers == {}
    assert not [name for name in docker.volumes if RUN in name]


def test_an_engine_that_dies_is_told_as_such(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    job_dir = job_directory(tmp_path)
    invocation = make_invocation(request_there, (make_job(),), job_dir / "mount", RUN)
    with (
        pytest.raises(EnvironmentProblem, match="error during connect"),
        carrying(request_there, invocation, job_dir, RUN),
    ):
        docker.gone = True


def test_environments_are_volumes_that_others_point_to(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    job, root = make_job(), request_there.cache_root
    names = VolumeNames(owner_of(root), RUN, root)
    places = EnvironmentVolumes(request_there.engine, names)
    directory = root / "environments" / "digest"
    part = directory.with_name("digest-run.part")
    locked = LockedEnvironment(job.python, job.platform, (), (), ())
    there = replace(request_there, environments={job.id: JobEnvironment(locked, directory)})
    job_dir = job_directory(tmp_path)
    invocation = make_invocation(there, (job,), job_dir / "mount", RUN)

    assert not places.holds(directory)
    with pytest.raises(EnvironmentProblem, match="is gone"), carrying(there, invocation, job_dir, RUN):
        pass
    making = replace(
        invocation, mounts=(replace(invocation.mounts[0], source=part, target=ENVIRONMENT_DIR),), read_only=()
    )
    with carrying(there, making, job_dir, RUN) as carried:
        (made,) = carried.volumes
        assert not made.read_only
        (docker.root / made.name / "bin").mkdir()
    places.finish(part, directory)
    assert places.find(directory) == made.name
    with carrying(there, invocation, job_dir, RUN) as carried:
        used = next(mount for mount in carried.volumes if mount.target == ENVIRONMENT_DIR)
        assert (used.name, used.read_only) == (made.name, True)
    assert places.holds(directory), "it outlives the jobs that use it"
    docker.volumes.pop(made.name)
    assert not places.holds(directory), "somebody pruned the engine's volumes"
    places.finish(part, directory)
    assert f"{names.run_id}" not in " ".join(docker.volumes)


def test_a_read_only_runs_environment_is_its_own(
    tmp_path: Path, docker: FakeRemoteDocker, request_there: BuildRequest
) -> None:
    root = request_there.cache_root
    places = EnvironmentVolumes(request_there.engine, VolumeNames(owner_of(root), RUN, root))
    own = tmp_path / "run" / "own-environments" / "digest"
    places.finish(own.with_name("part"), own)
    (labels,) = docker.volumes.values()
    assert labels["io.wheelkiln.run"] == RUN
