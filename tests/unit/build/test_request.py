from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.values import make_config, make_engine, make_facts, make_host, make_inputs, make_request
from wheelkiln.build.cibuildwheel_config import ReadOnlyMount
from wheelkiln.build.request import (
    BuildRequest,
    JobEnvironment,
    container_network_environment,
    container_user,
    job_inputs,
    job_key,
    make_invocation,
    remote_environment,
)
from wheelkiln.build.surroundings import host_name_args
from wheelkiln.cache.lock import LockedEnvironment
from wheelkiln.config.remote import parse_remote
from wheelkiln.system.engine import EngineName
from wheelkiln.system.pip_settings import PipSettings


def _key(request: BuildRequest, number: int = 0) -> str:
    return job_key(request, request.plan.jobs[number])


def _with_source(request: BuildRequest, **changes: Any) -> BuildRequest:
    return replace(request, source=replace(request.source, **changes))


def test_an_invocation_puts_everything_together() -> None:
    request = make_request(make_inputs(host=make_host(ca_bundle=Path("/etc/ca.pem"))))
    invocation = make_invocation(request, request.plan.jobs[:2], Path("/job"), "run-1")
    assert invocation.jobs == request.plan.jobs[:2]
    assert invocation.reference == request.plan.references["manylinux_2_28_x86_64"]
    assert invocation.user_args == ("--user=1001:1002",)
    assert invocation.label == "--label=io.wheelkiln.run=run-1"
    assert [str(mount.source) for mount in invocation.mounts] == [
        "/var/kiln/cache/ccache",
        "/var/kiln/cache/uv",
        "/var/kiln/cache/links",
        "/var/kiln/cache/cython",
        "/job",
        "/job/project",
    ]
    target = PurePosixPath("/opt/wheelkiln/mnt/ca-bundle.pem")
    assert invocation.read_only == (ReadOnlyMount(PurePosixPath("/etc/ca.pem"), target),)
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert invocation.environment[name] == str(target)


def test_the_address_of_a_remote_cache_is_passed_by_name() -> None:
    request = make_request(remote=parse_remote("redis://:hunter2@h"))
    invocation = make_invocation(request, request.plan.jobs[:1], Path("/run/job/mount"), "run-1")
    assert invocation.passed == ("WHEELKILN_REMOTE_STORAGE",)
    assert ReadOnlyMount(PurePosixPath("/run/job/remote"), PurePosixPath("/opt/wheelkiln/mnt/remote")) in (
        invocation.read_only
    )
    assert "hunter2" not in repr(invocation)
    assert remote_environment(request)["WHEELKILN_REMOTE_STORAGE"].startswith("redis://hunter2@h:6379|")
    sealed = replace(request, config=make_config({"cache": {"mode": "read-only"}}))
    assert remote_environment(sealed)["WHEELKILN_REMOTE_STORAGE"].endswith("|read-only=true")
    assert remote_environment(make_request()) == {}


def test_inputs_tell_the_source_from_all_else() -> None:
    job = _PLAIN.plan.jobs[0]
    same, other = job_inputs(_PLAIN, job), job_inputs(_with_source(_PLAIN, digest="e" * 64), job)
    assert (same.setting, same.source != other.source) == (other.setting, True)
    later = job_inputs(_with_source(_PLAIN, epoch=1), job)
    assert (same.setting, same.source != later.source) == (later.setting, True)
    changed = job_inputs(make_request(tests=False), job)
    assert (same.source, same.setting != changed.setting) == (changed.source, True)


def test_without_network_uv_does_not_try() -> None:
    offline = make_request(make_inputs({"container": {"network": "none"}}))
    assert make_invocation(offline, offline.plan.jobs, Path("/j"), "r").environment["UV_OFFLINE"] == "1"
    online = make_request()
    assert "UV_OFFLINE" not in make_invocation(online, online.plan.jobs, Path("/j"), "r").environment


def test_who_owns_the_mounts() -> None:
    assert container_user(make_request()).owner is None
    assert container_user(make_request(make_inputs(host=make_host(uid=0)))).owner == (1000, 1000)
    as_root = make_inputs({"container": {"user": "root"}}, host=make_host(uid=0))
    assert container_user(make_request(as_root)).owner is None


def test_a_user_to_whom_the_images_project_directory_does_not_belong_gets_its_own() -> None:
    def targets(uid: int) -> list[str]:
        request = make_request(make_inputs(host=make_host(uid=uid)))
        invocation = make_invocation(request, request.plan.jobs[:1], Path("/job"), "run")
        return [str(mount.target) for mount in invocation.mounts]

    assert "/project" in targets(1234)
    assert "/project" not in targets(1000)
    assert "/project" not in targets(0)


def test_pips_settings_reach_pip_and_uv() -> None:
    pip = PipSettings(
        index_url="https://one/simple",
        extra_index_urls=("https://two/", "https://three/"),
        find_links=("https://four/", "/absent"),
        trusted_hosts=("a", "b"),
        proxy="http://proxy",
    )
    host = make_host(environ={"https_proxy": "http://other", "NO_PROXY": "localhost", "TOKEN": "x"})
    assert container_network_environment(make_request(make_inputs(host=host), pip=pip)) == {
        "PIP_INDEX_URL": "https://one/simple",
        "UV_DEFAULT_INDEX": "https://one/simple",
        "PIP_EXTRA_INDEX_URL": "https://two/ https://three/",
        "UV_INDEX": "https://two/ https://three/",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "PIP_FIND_LINKS": "https://four/",
        "UV_FIND_LINKS": "https://four/",
        "PIP_TRUSTED_HOST": "a b",
        "UV_INSECURE_HOST": "a b",
        "PIP_PROXY": "http://proxy",
        "https_proxy": "http://other",
        "NO_PROXY": "localhost",
    }


def test_without_settings_nothing_is_passed() -> None:
    assert container_network_environment(make_request()) == {}


def test_the_key_is_the_same_for_the_same_inputs() -> None:
    assert _key(make_request()) == _key(make_request())


_PLAIN = make_request()


@pytest.mark.parametrize(
    "request_",
    [
        _with_source(_PLAIN, digest="e" * 64),
        _with_source(_PLAIN, epoch=1),
        make_request(make_inputs({"frontend": "pip"})),
        make_request(make_inputs({"policy": "manylinux2014"})),
        make_request(make_inputs({"repair": {"args": ["--strip"]}})),
        make_request(make_inputs({"image": {"packages": {"rpm": ["x"]}}})),
        make_request(make_inputs({"image": {"toolchain": "clang"}})),
        make_request(make_inputs({"image": {"linker": "mold"}})),
        make_request(make_inputs({"libc": ["musllinux"]})),
        make_request(make_inputs({"container": {"network": "none"}})),
        make_request(make_inputs({"container": {"user": "root"}})),
        make_request(
            make_inputs(facts=make_facts('[project]\nname = "kern"\n[tool.cibuildwheel]\nbefore-build = "x"\n'))
        ),
        make_request(variables={"CIBW_ENVIRONMENT": "A=1"}),
        make_request(tests=False),
        make_request(cibuildwheel_version="4.4.0"),
    ],
)
def test_what_reaches_the_wheel_is_in_the_key(request_: BuildRequest) -> None:
    assert _key(request_) != _key(_PLAIN)


def test_the_image_that_is_there_is_in_the_key() -> None:
    job = _PLAIN.plan.jobs[0]
    assert len({job_key(_PLAIN, job), job_key(_PLAIN, job, "sha256:1"), job_key(_PLAIN, job, "sha256:2")}) == 3


def test_the_key_is_known_without_asking_pip() -> None:
    def refuse() -> PipSettings:
        raise AssertionError("asking takes a third of a second")

    assert _key(replace(_PLAIN, read_pip=refuse)) == _key(_PLAIN)


def test_each_job_has_its_own_key() -> None:
    assert len({_key(_PLAIN, number) for number in range(4)}) == 4


@pytest.mark.parametrize(
    "request_",
    [
        make_request(root=Path("/elsewhere")),
        make_request(project=Path("/elsewhere/kern")),
        make_request(make_inputs({"libc": ["manylinux", "musllinux"]})),
        make_request(make_inputs({"image": {"repository": "ghcr.io/acme/x", "cache-from": ["type=gha"]}})),
        make_request(make_inputs(host=make_host(uid=4000, gid=4000))),
        make_request(engine=make_engine(version="99")),
        make_request(pip=PipSettings(index_url="https://mirror/simple", find_links=("/",))),
        make_request(make_inputs(host=make_host(cpus=64, environ={"HTTPS_PROXY": "http://proxy"}))),
        make_request(make_inputs(estimates={"cp310-manylinux_x86_64": 3.0})),
        make_request(fresh=True),
        make_request(remote=parse_remote("redis://h")),
        make_request(make_inputs({"cache": {"mode": "read-only"}})),
        make_request(make_inputs({"cache": {"mode": "read-only", "min-hit-rate": 1}}), remote=parse_remote("http://h")),
        _with_source(_PLAIN, size=1, tree_size=2, sdist=Path("/x.tar.gz")),
    ],
)
def test_what_does_not_reach_the_wheel_is_not_in_the_key(request_: BuildRequest) -> None:
    assert _key(request_) == _key(_PLAIN)


def test_a_key_has_no_secret_in_it_that_changes_it() -> None:
    one = make_request(pip=PipSettings(index_url="https://u:one@host/"))
    two = make_request(pip=PipSettings(index_url="https://u:two@host/"))
    assert _key(one) == _key(two)


def test_engines_and_configurations_are_told_apart() -> None:
    podman = make_request(engine=make_engine(name=EngineName.PODMAN))
    assert make_invocation(podman, podman.plan.jobs, Path("/j"), "r").engine is EngineName.PODMAN
    assert podman.config == make_config()


def test_a_job_with_an_environment_cannot_write_to_the_packages_that_environments_are_made_from() -> None:
    request = make_request()
    job = request.plan.jobs[0]
    made = JobEnvironment(LockedEnvironment(job.python, "manylinux_x86_64", (), (), ()), Path("/cache/environments/1"))
    with_environment = make_invocation(replace(request, environments={job.id: made}), (job,), Path("/job"), "run")
    (uv,) = (mount.source.name for mount in with_environment.mounts if mount.target.name == "uv")
    assert uv == "uv-tests"


def test_builds_are_told_the_same_of_where_they_run() -> None:
    request = make_request()
    environment = make_invocation(request, (request.plan.jobs[0],), Path("/job"), "run-1").environment
    told = {name: environment[name] for name in ("PYTHONHASHSEED", "TZ", "USER", "LOGNAME", "HOME")}
    assert told == {
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "USER": "builder",
        "LOGNAME": "builder",
        "HOME": "/home/builder",
    }


def test_a_container_with_anothers_network_has_its_name() -> None:
    assert host_name_args("default") == host_name_args("host") == ["--hostname=wheelkiln"]
    assert host_name_args("container:db") == []
