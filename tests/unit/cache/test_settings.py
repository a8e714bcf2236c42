from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from tests.values import make_config, make_host, make_job
from wheelkiln.cache.settings import (
    BUILD_DIR,
    ENVIRONMENT_DIR,
    CacheMount,
    cache_environment,
    cache_mounts,
    cache_root,
    make_cache_directories,
    parse_size,
)
from wheelkiln.config.model import Config
from wheelkiln.errors import EnvironmentProblem


@pytest.mark.parametrize(
    ("text", "size"),
    [("500k", 500_000), ("10K", 10_000), ("1.5M", 1_500_000), ("5G", 5 * 10**9), ("5Gi", 5 << 30), ("2T", 2 * 10**12)],
)
def test_limits_are_read_as_ccache_reads_them(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_the_users_cache_directory_is_the_default() -> None:
    assert cache_root(make_config(), make_host()) == Path("/home/dev/.cache/wheelkiln")


@pytest.mark.parametrize(
    ("configured", "root"),
    [
        ("/srv/cache", "/srv/cache"),
        ("cache", "/srv/cache"),
        ("../cache", "/srv/../cache"),
        ("~/kiln", "/home/dev/kiln"),
        ("~", "/home/dev"),
        ("~nosuchuser/kiln", "/srv/~nosuchuser/kiln"),
    ],
)
def test_a_configured_cache_directory(configured: str, root: str) -> None:
    assert cache_root(make_config({"cache": {"dir": configured}}), make_host()) == Path(root)


def test_the_mounts_of_a_job() -> None:
    mounts = cache_mounts(make_config(), Path("/c"), Path("/c/runs/1/job"))
    assert [(str(mount.source), str(mount.target)) for mount in mounts] == [
        ("/c/ccache", "/opt/wheelkiln/mnt/ccache"),
        ("/c/uv", "/opt/wheelkiln/mnt/uv"),
        ("/c/links", "/opt/wheelkiln/mnt/links"),
        ("/c/cython", "/opt/wheelkiln/mnt/cython"),
        ("/c/runs/1/job", "/opt/wheelkiln/mnt/job"),
    ]


def test_what_root_writes_is_kept_apart() -> None:
    mounts = cache_mounts(make_config({"container": {"user": "root"}}), Path("/c"), Path("/j"))
    names = ("ccache-root", "uv-root", "links-root", "cython-root")
    assert [str(mount.source) for mount in mounts] == [*(f"/c/{name}" for name in names), "/j"]


def _sealed(**image: bool) -> Config:
    return make_config({"cache": {"mode": "read-only"}, "image": image})


def test_a_read_only_job_can_write_to_no_cache() -> None:
    mounts = cache_mounts(_sealed(sccache=True), Path("/c"), Path("/j"))
    assert [(str(mount.source), mount.read_only) for mount in mounts] == [
        ("/c/ccache", True),
        ("/c/sccache", True),
        ("/c/links", True),
        ("/c/cython", True),
        ("/j", False),
    ]
    environment = cache_environment(_sealed(sccache=True), make_job())
    assert environment["CCACHE_READONLY"] == "1"
    assert environment["SCCACHE_LOCAL_RW_MODE"] == "READ_ONLY"
    assert environment["CCACHE_DIR"] == "/opt/wheelkiln/mnt/ccache"
    assert environment["UV_CACHE_DIR"] == "/tmp/wheelkiln-uv"


def test_a_read_only_job_with_a_remote_has_a_compile_cache_of_its_own() -> None:
    mounts = cache_mounts(_sealed(), Path("/c"), Path("/j"), remote=True)
    assert [str(mount.source) for mount in mounts] == ["/c/links", "/c/cython", "/j"]
    environment = cache_environment(_sealed(), make_job(), remote=True)
    assert environment["CCACHE_DIR"] == "/tmp/wheelkiln-remote"
    assert environment["CCACHE_CONFIGPATH"] == "/opt/wheelkiln/mnt/remote/ccache.conf"


def test_a_mount_that_is_read_keeps_its_owner(tmp_path: Path) -> None:
    make_cache_directories((CacheMount(tmp_path / "c", PurePosixPath("/c"), read_only=True),), (4321, 4321))
    assert (tmp_path / "c").stat().st_uid == os.getuid()


def test_the_environment_points_into_the_mounts() -> None:
    environment = cache_environment(make_config({"cache": {"max-size": "5G"}}), make_job())
    targets = [str(mount.target) for mount in cache_mounts(make_config(), Path("/c"), Path("/j"))]
    assert environment["CCACHE_DIR"] == targets[0]
    assert environment["UV_CACHE_DIR"] == targets[1]
    assert environment["WHEELKILN_LINKS"] == targets[2]
    assert environment["WHEELKILN_CYTHON"] == targets[3]
    assert environment["CCACHE_STATSLOG"] == f"{targets[4]}/ccache.log"
    assert environment["WHEELKILN_LINKS_LOG"] == f"{targets[4]}/links.log"
    assert environment["WHEELKILN_CYTHON_LOG"] == f"{targets[4]}/cython.log"
    assert environment["WHEELKILN_LINKS_MAXSIZE"] == environment["WHEELKILN_CYTHON_MAXSIZE"] == "5G"
    assert environment["CCACHE_MAXSIZE"] == "5G"
    assert environment["CCACHE_NAMESPACE"] == "kern-x86_64-default"
    assert environment["CCACHE_COMPILERCHECK"] == "%compiler% -v"
    assert "SOURCE_DATE_EPOCH" not in environment, "cibuildwheel passes it on from its own environment"


def test_without_the_link_cache_nothing_of_it_reaches_the_container() -> None:
    config = make_config({"cache": {"links": "off"}})
    assert not [name for name in cache_environment(config, make_job()) if "LINKS" in name or "PREFIX" in name]
    assert not [mount for mount in cache_mounts(config, Path("/c"), Path("/j")) if "links" in mount.target.name]


def test_without_the_cython_cache_nothing_of_it_reaches_the_container() -> None:
    config = make_config({"cache": {"cython": False}})
    assert not [name for name in cache_environment(config, make_job()) if "CYTHON" in name]
    assert not [mount for mount in cache_mounts(config, Path("/c"), Path("/j")) if "cython" in mount.target.name]


def _sharing(value: str, links: str = "lto") -> dict[str, str]:
    environment = cache_environment(
        make_config({"cache": {"share-between-pythons": value, "links": links}}), make_job()
    )
    names = ("CCACHE_IGNOREOPTIONS", "CCACHE_EXTRAFILES", "CCACHE_PREFIX")
    return {name: environment[name] for name in names if name in environment}


def test_warnings_that_interpreters_choose_do_not_keep_compilations_apart() -> None:
    ignored = _sharing("warnings")["CCACHE_IGNOREOPTIONS"].split()
    assert "-Wno-unused-result" in ignored
    assert all(flag.startswith("-W") and "error" not in flag and "," not in flag for flag in ignored)
    assert cache_environment(make_config(), make_job())["CCACHE_IGNOREOPTIONS"].split() == ignored


def test_flags_of_code_are_left_out_of_keys_only_where_code_does_not_depend_on_them() -> None:
    flags = _sharing("flags")
    assert {"-fwrapv", "-fno-strict-overflow", "-Wsign-compare"} <= set(flags["CCACHE_IGNOREOPTIONS"].split())
    program = flags["CCACHE_EXTRAFILES"]
    assert flags["CCACHE_PREFIX"].split() == [program, "/opt/wheelkiln/links/link.sh"]
    assert _sharing("flags", links="off")["CCACHE_PREFIX"] == program
    for value in ("warnings", "off"):
        assert "CCACHE_EXTRAFILES" not in _sharing(value)
        assert "-fwrapv" not in _sharing(value).get("CCACHE_IGNOREOPTIONS", "")


def test_nothing_is_shared_that_was_not_asked_for() -> None:
    assert _sharing("off", links="off") == {}


def test_the_fixed_paths_hold_no_python_tag() -> None:
    assert (str(ENVIRONMENT_DIR), str(BUILD_DIR)) == ("/tmp/wheelkiln/env", "/tmp/wheelkiln/build")


def _mounts(*sources: Path) -> tuple[CacheMount, ...]:
    return tuple(CacheMount(source, PurePosixPath("/m")) for source in sources)


def test_directories_are_made(tmp_path: Path) -> None:
    make_cache_directories(_mounts(tmp_path / "a/b", tmp_path / "c"), None)
    assert (tmp_path / "a/b").is_dir()
    assert (tmp_path / "c").is_dir()


def test_directories_that_have_their_owner_are_left_alone(tmp_path: Path) -> None:
    make_cache_directories(_mounts(tmp_path), (os.getuid(), os.getgid()))
    assert tmp_path.stat().st_uid == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_directories_are_given_to_who_writes_there(tmp_path: Path) -> None:
    make_cache_directories(_mounts(tmp_path / "new"), (1000, 1000))
    assert ((tmp_path / "new").stat().st_uid, (tmp_path / "new").stat().st_gid) == (1000, 1000)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnvironmentProblem, match="belongs to another user"):
        make_cache_directories(_mounts(tmp_path), None)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem) as caught:
        make_cache_directories(_mounts(tmp_path / "file/ccache"), None)
    assert "[tool.wheelkiln.cache] dir" in caught.value.hint


def test_in_a_directory_of_somebody_else_each_user_has_one_of_their_own(tmp_path: Path) -> None:
    config = make_config({"cache": {"dir": str(tmp_path)}})
    assert cache_root(config, make_host(uid=tmp_path.stat().st_uid)) == tmp_path
    assert (
        cache_root(config, make_host(uid=tmp_path.stat().st_uid + 1)) == tmp_path / f"user-{tmp_path.stat().st_uid + 1}"
    )
