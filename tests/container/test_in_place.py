"""Builds without containers: inside of our image, where they are the same bit for bit, and on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Ran, Tool, clean_environment, manifest

ROOT = Path(__file__).parents[2]
ONE = ("--python", "cp312")
SETTINGS = """
[tool.cibuildwheel]
before-all = "echo before all > {project}/../tmp/all || echo all > /project/all"
before-build = "python -c 'import sys; print(sys.prefix)' > {project}/built-by"
environment = { OWN = "$(echo evaluated)" }
test-requires = ["packaging"]
test-sources = ["tests"]
test-command = "python -m tests.check {wheel}"
"""
CHECK = """
import os, pathlib, sys
import packaging, plainkernel
assert plainkernel.twice(21) == 42
assert os.environ["OWN"] == "evaluated"
assert pathlib.Path(sys.argv[1]).name.startswith("plainkernel-1.2.3-")
assert sys.prefix != sys.base_prefix
print("the test ran with", sys.version.split()[0])
"""
IN_IMAGE = """
set -e
cd /builds
if [ ! -d venv ]; then
    /opt/python/cp312-cp312/bin/python -m venv venv
    venv/bin/pip install -q --disable-pip-version-check /dist/*.whl
fi
. venv/bin/activate
umask 0000
exec wheelkiln build project --python cp312 --cache-dir "$1" --output-dir "$2"
"""


def digests(wheelhouse: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in wheelhouse.glob("*.whl")}


@pytest.fixture(scope="session")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user of a package index would install."""
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", str(place), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    place.chmod(0o755)
    return place


def run_in_image(tool: Tool, image: str, place: Path, dist: Path, who: str, **environ: str) -> Ran:
    """Do what a job of a CI system does: install wheelkiln into the image, and build, as a user and with variables."""
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    command = [
        tool.engine,
        "run",
        "--rm",
        "--network=host",
        f"--user={who}",
        *(f"--env={name}=/ca.pem" for name in names),
    ]
    command += [f"--env={name}={value}" for name, value in environ.items()]
    command += [f"--volume={place}:/builds", f"--volume={dist}:/dist:ro", f"--volume={bundle}:/ca.pem:ro", image]
    output = f"o-{who.replace(':', '-')}"
    done = subprocess.run(
        [*command, "bash", "-c", IN_IMAGE, "bash", f"c-{output}", output], capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_in_our_image_the_same_wheel_is_built_without_an_engine(
    tool: Tool, project: Any, own_wheel: Path, tmp_path: Path
) -> None:
    source = project("plain", "builds/project")
    made = tool.build(source, *ONE, "--output-dir", str(tmp_path / "wheelhouse"))
    assert made.code == 0, made.stderr
    image = manifest(tmp_path / "wheelhouse")["images"][0]["reference"]
    place = tmp_path / "builds"
    for path in (place, *place.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    users = {
        "1000:1000": {"CFLAGS": "-O0", "CI_JOB_TOKEN": "secret"},
        "4321:4321": {},
        "0:0": {},
    }
    for who, environ in users.items():
        ran = run_in_image(tool, image, place, own_wheel, who, **environ)
        assert ran.code == 0, ran.stderr
        assert "inside of wheelkiln's image" in ran.stderr
        assert "equal to those of a container" in " ".join(ran.stderr.split())
        output = place / f"o-{who.replace(':', '-')}"
        assert digests(output) == digests(tmp_path / "wheelhouse"), ran.stderr
        assert manifest(output)["jobs"][0]["statistics"]["misses"] == 1


@pytest.fixture(scope="module")
def here_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache-in-place")


def build_here(cache: Path, source: Path, *more: str, namespaces: bool = True) -> Ran:
    """Build on this machine as a user without an engine: none is on PATH, and its socket is out of reach."""
    argv = [sys.executable, "-m", "wheelkiln", "build", ".", "--engine", "none", "--cache-dir", str(cache), *ONE, *more]
    if not namespaces:  # none are left for those that this one would make
        argv = ["unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh", *argv]
    environ = {**clean_environment(), "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run(argv, cwd=source, env=environ, capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def has_namespaces() -> bool:
    return subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_namespaces(), reason="this kernel lets users have no namespaces")
@pytest.mark.parametrize("namespaces", [True, False], ids=["private", "moved"])
def test_this_machine_builds_tests_and_caches_by_itself(
    namespaces: bool, here_cache: Path, project: Any, tmp_path: Path
) -> None:
    source = project("plain")
    (source / "tests").mkdir()
    (source / "tests/check.py").write_text(CHECK)
    with (source / "MANIFEST.in").open("a") as file:
        file.write("graft tests\n")
    with (source / "pyproject.toml").open("a") as file:
        file.write(SETTINGS)
    cold = build_here(here_cache, source, namespaces=namespaces)
    assert cold.code == 0, cold.stderr
    assert "its bytes may differ" in " ".join(cold.stderr.split())
    assert ("one after another" in cold.stderr) is not namespaces
    first = manifest(source / "wheelhouse")["jobs"][0]
    (log,) = here_cache.glob("runs/*/cp312-*/build.log") if namespaces else [newest_log(here_cache)]
    assert "the test ran with 3.12" in log.read_text(encoding="utf-8")
    assert list(here_cache.glob("runs/**/place-*")) == []
    has_ccache = shutil.which("ccache") is not None
    assert (first["statistics"] or {}).get("misses") == (1 if has_ccache else None)

    warm = build_here(here_cache, source, "--fresh", namespaces=namespaces)
    assert warm.code == 0, warm.stderr
    second = manifest(source / "wheelhouse")["jobs"][0]
    assert second["wheel"]["sha256"] == first["wheel"]["sha256"]
    assert (second["statistics"] or {}).get("hits") == (1 if has_ccache else None)

    again = build_here(here_cache, source, "--output-dir", str(tmp_path / "elsewhere"), namespaces=namespaces)
    assert again.code == 0, again.stderr
    assert "from the wheel store" in again.stderr


def newest_log(cache: Path) -> Path:
    return max(cache.glob("runs/*/cp312-*/build.log"), key=lambda path: path.stat().st_mtime)


def test_a_failure_in_place_is_explained_as_one_in_a_container(here_cache: Path, project: Any) -> None:
    ran = build_here(here_cache, project("broken"))
    assert ran.code == 7
    assert "a_header_that_nobody_has.h" in ran.stderr
    assert "install it on this machine" in " ".join(ran.stderr.split())
