"""One of our images is recognised by what it has; a machine's tools are read; what changes them changes the digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner, Script
from tests.values import make_host
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.in_place_facts import PlaceFacts, is_our_image, read_place_facts

VERSIONS = (
    "ccache 4.13.6\ncompiler gcc (GCC) 14.2.1\nlibc 2.28\nauditwheel 6.8.2\ncp311-cp311 3.11.9\ncp312-cp312 3.12.4\n"
)
TOOLS: dict[str, Script] = {
    "python -m wheelkiln.system.in_place_program probe": Answer(),
    "ccache --version": Answer("ccache version 4.7.5\nFeatures: x\n"),
    "cc --version": Answer("cc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright\n"),
    "ld --version": Answer("GNU ld (GNU Binutils for Debian) 2.40\n"),
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def make_image(root: Path, **changes: str) -> Path:
    home = "opt/wheelkiln"
    return write(
        root,
        {
            f"{home}/versions.txt": VERSIONS,
            f"{home}/toolchain.txt": "gcc 14.2.1 x86-64-v3\n",
            f"{home}/bin/wheelkiln-environment": "e",
            f"{home}/bin/wheelkiln-repair": "r",
            f"{home}/links/link.py": "l",
            "var/lib/rpm/rpmdb.sqlite": "packages",
            "opt/python/cp311-cp311/bin/python": "",
            "opt/python/cp312-cp312/bin/python": "",
            "opt/python/pp310-pypy310_pp73/bin/python": "",
            **changes,
        },
    )


def read(root: Path, environ: dict[str, str] | None = None) -> PlaceFacts:
    return read_place_facts(make_host(environ=environ or {}), FakeRunner(TOOLS), root)


def test_an_image_is_recognised_by_its_files(tmp_path: Path) -> None:
    assert not is_our_image(tmp_path)
    assert is_our_image(make_image(tmp_path))


def test_an_image_tells_its_interpreters_its_compiler_and_its_policy(tmp_path: Path) -> None:
    place = read(make_image(tmp_path), {"AUDITWHEEL_POLICY": "manylinux_2_28"})
    assert [(found.tag, found.version) for found in place.interpreters] == [("cp311", "3.11.9"), ("cp312", "3.12.4")]
    assert (place.is_image, place.libc, place.libc_version, place.family) == (True, "manylinux", "2.28", "rpm")
    assert (place.policy, place.compiler) == ("manylinux_2_28", "gcc")


def test_an_alpine_image_is_for_musllinux(tmp_path: Path) -> None:
    place = read(make_image(tmp_path, **{"opt/wheelkiln/versions.txt": "libc musl 1.2.5\n"}))
    assert (place.libc, place.libc_version, place.interpreters) == ("musllinux", "1.2.5", ())


@pytest.mark.parametrize(
    "name", ["opt/wheelkiln/versions.txt", "opt/wheelkiln/bin/wheelkiln-repair", "var/lib/rpm/rpmdb.sqlite"]
)
def test_an_image_is_named_by_what_is_in_it(tmp_path: Path, name: str) -> None:
    one, same, other = (make_image(tmp_path / part) for part in ("one", "same", "other"))
    write(other, {name: "changed"})
    assert read(one).digest == read(same).digest != read(other).digest


def test_nothing_of_a_ci_job_gets_into_an_images_environment(tmp_path: Path) -> None:
    environ = {
        "PATH": "/home/u/venv/bin:/opt/wheelkiln/ccache:/opt/wheelkiln/bin:/opt/rh/bin:/usr/bin",
        "CI_JOB_TOKEN": "secret",
        "CFLAGS": "-O0",
        "CC": "clang",
        "AUDITWHEEL_PLAT": "manylinux_2_28_x86_64",
    }
    assert read(make_image(tmp_path), environ).environment == {
        "LANG": "C.UTF-8",
        "CC": "clang",
        "AUDITWHEEL_PLAT": "manylinux_2_28_x86_64",
        "PATH": "/opt/wheelkiln/ccache:/opt/wheelkiln/toolchain:/tmp/wheelkiln/env/bin:"
        "/opt/wheelkiln/bin:/opt/rh/bin:/usr/bin",
    }


def test_a_path_that_is_not_the_images_is_left_out(tmp_path: Path) -> None:
    path = read(make_image(tmp_path), {"PATH": "/somewhere"}).environment["PATH"]
    assert path.endswith("/opt/wheelkiln/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def make_machine(root: Path) -> Path:
    header = '#define PY_VERSION "3.11.2"\n'
    write(root, {"usr/include/python3.11/patchlevel.h": header, "var/lib/dpkg/status": "packages"})
    program = root / "usr/bin/python3.11"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF\x02\x01" + bytes(12) + (62).to_bytes(2, "little"))
    return root


def test_a_machine_is_read_by_its_tools(tmp_path: Path) -> None:
    host = make_host(home=tmp_path / "home", distribution="debian", release="bookworm")
    place = read_place_facts(host, FakeRunner(TOOLS), make_machine(tmp_path))
    assert not place.is_image
    assert ("cp311", tmp_path / "usr") in [(found.tag, found.prefix) for found in place.interpreters]
    assert (place.toolchain, place.family, place.policy) == ("gcc 12.2.0", "deb", "")
    assert place.environment["PATH"].startswith("/opt/wheelkiln/ccache:")


def test_a_machine_without_tools_is_still_a_place(tmp_path: Path) -> None:
    gone: dict[str, Script] = TOOLS | dict.fromkeys(list(TOOLS)[1:], EnvironmentProblem("not installed"))
    place = read_place_facts(make_host(home=tmp_path / "home"), FakeRunner(gone), make_machine(tmp_path))
    assert (place.ccache, place.toolchain) == (None, "")


def test_new_packages_make_another_place_of_a_machine(tmp_path: Path) -> None:
    host = make_host(home=tmp_path / "home")
    before = read_place_facts(host, FakeRunner(TOOLS), make_machine(tmp_path))
    write(tmp_path, {"var/lib/dpkg/status": "more packages"})
    assert read_place_facts(host, FakeRunner(TOOLS), tmp_path).digest != before.digest


def test_a_machine_that_keeps_no_job_apart_is_another_place_but_an_image_is_not(tmp_path: Path) -> None:
    said = "wheelkiln, in place: [Errno 1] unshare: Operation not permitted\n"
    refused = {**TOOLS, "python -m wheelkiln.system.in_place_program probe": Answer(returncode=125, stderr=said)}
    host = make_host(home=tmp_path / "home")
    machine, image = make_machine(tmp_path / "machine"), make_image(tmp_path / "image")
    places = [
        read_place_facts(host, FakeRunner(script), root) for root in (machine, image) for script in (TOOLS, refused)
    ]
    assert [place.private for place in places] == [True, False, True, False]
    assert places[1].why_not == "unshare: Operation not permitted"
    assert places[0].digest != places[1].digest
    assert places[2].digest == places[3].digest


def test_a_ccache_that_is_too_old_is_not_used(tmp_path: Path) -> None:
    script = {**TOOLS, "ccache --version": Answer("ccache version 3.7.7\n")}
    assert read_place_facts(make_host(home=tmp_path / "h"), FakeRunner(script), make_machine(tmp_path)).ccache is None
