"""The program that stands for an engine, spoken to as cibuildwheel speaks to docker, in a root of its own or not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelkiln.system.in_place import PROGRAM, Place, program_directory, write_place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


def engine(*argv: str, **options: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), **options}
    return subprocess.run(
        [sys.executable, "-m", PROGRAM, *argv], capture_output=True, text=True, check=False, env=environ
    )


HAS_NAMESPACES = engine("probe").returncode == 0
needs_namespaces = pytest.mark.skipif(not HAS_NAMESPACES, reason="this kernel lets users have no namespaces")


@pytest.fixture(params=[pytest.param(True, marks=needs_namespaces), False], ids=["private", "moved"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place with one interpreter: this one, as the utility interpreter that cibuildwheel calls."""
    private: bool = request.param
    layer = tmp_path / "layer"
    utility = layer / "opt/python/cp39-cp39/bin"
    utility.mkdir(parents=True)
    (utility / "python").symlink_to(Path(sys.executable).resolve())
    for name in ("opt/wheelkiln/mnt", "project", "home/builder", "tmp"):
        (layer / name).mkdir(parents=True)
    layers = {f"/opt/{name}": str(layer / "opt" / name) for name in ("python", "wheelkiln")} if private else {}
    tag = uuid.uuid4().hex[:16]
    made = Place(
        reference=f"wheelkiln/in-place_x86_64:{tag}",
        digest=tag,
        arch="x86_64",
        private=private,
        root="" if private else str(layer),
        layers=layers,
        environment={"PATH": os.environ["PATH"], "OWN": "/opt/wheelkiln/bin"},
    )
    write_place(made)
    return made


@pytest.fixture
def created(place: Place, tmp_path: Path) -> Iterator[str]:
    """A container with a job's directory, and an environment that it may not write to."""
    for name in ("run/j/mount", "environment"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "environment/mark").write_text("ready", encoding="utf-8")
    name = f"cibuildwheel-{uuid.uuid4()}"
    done = engine(
        "create",
        f"--name={name}",
        "--interactive",
        f"--label=io.wheelkiln.run={name}-run",
        f"--mount=type=bind,source={tmp_path}/run/j/mount,target=/opt/wheelkiln/mnt/job",
        f"--mount=type=bind,source={tmp_path}/environment,target=/tmp/wheelkiln/env,readonly",
        "--env=GIVEN",
        place.reference,
        "/bin/bash",
        GIVEN="/project/x",
    )
    assert done.returncode == 0, done.stderr
    yield name
    assert engine("rm", "--force", "-v", name).returncode == 0
    assert list((tmp_path / "run/j").glob("place-*")) == []
    assert name not in engine("ps", "-aq").stdout


def converse(name: str, *commands: str) -> list[str]:
    """Say commands to a container's shell, and return what each printed."""
    with subprocess.Popen(
        [sys.executable, "-m", PROGRAM, "start", "--attach", "--interactive", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    ) as shell:
        timer = threading.Timer(30, shell.kill)  # one that says nothing more would be waited for
        timer.start()
        assert shell.stdin is not None
        assert shell.stdout is not None
        answers = []
        for command in commands:
            if command.startswith("exec "):
                done = engine("exec", "-i", name, "sh", "-c", command.removeprefix("exec "))
                answers.append(done.stdout + done.stderr)
                continue
            if command.startswith("cp "):
                assert engine("cp", f"{name}:/output/.", command.removeprefix("cp ")).returncode == 0
                continue
            shell.stdin.write(f"(\n{command}\nprintf '\\nend\\n'\n) 2>&1\n")
            shell.stdin.flush()
            lines = iter(shell.stdout.readline, "end\n")
            answers.append("".join(lines).strip())
        shell.stdin.write("exit 0\n")
        shell.stdin.close()
        assert shell.wait(timeout=30) == 0
        timer.cancel()
    return answers


def test_a_conversation_as_cibuildwheel_has_it(created: str, tmp_path: Path) -> None:
    answers = converse(
        created,
        "pwd",
        "/opt/python/cp39-cp39/bin/python -c 'print(1 + 1)'",
        "env | grep -E '^(OWN|GIVEN)=' | sort",
        "cat /tmp/wheelkiln/env/mark",
        "echo here > /project/file; umask",
        "exec cat /project/file; echo text > /project/other",
        "cat /project/other",
        "mkdir -p /output; echo wheel > /output/a.whl; echo job > /opt/wheelkiln/mnt/job/log",
        f"cp {tmp_path}/out",
        "echo $HOME",
    )
    assert answers[:7] == [
        "/project",
        "2",
        "GIVEN=/project/x\nOWN=/opt/wheelkiln/bin",
        "ready",
        "0022",
        "here\n",
        "text",
    ]
    assert (tmp_path / "out/a.whl").read_text() == "wheel\n"
    assert (tmp_path / "run/j/mount/log").read_text() == "job\n"


@needs_namespaces
@pytest.mark.parametrize("place", [True], indirect=True, ids=["private"])
def test_in_a_root_of_its_own_nothing_else_can_be_written(created: str) -> None:
    (answer, *_) = converse(created, "touch /usr/x /etc/x /opt/python/x /tmp/wheelkiln/env/x", "touch /tmp/inside")
    assert answer.count("Read-only file system") == 4
    assert not Path("/tmp/inside").exists()


@pytest.mark.parametrize("place", [False], indirect=True, ids=["moved"])
def test_without_a_root_of_its_own_the_cached_environment_is_not_written(created: str, tmp_path: Path) -> None:
    converse(created, "echo changed > /tmp/wheelkiln/env/mark")
    assert (tmp_path / "environment/mark").read_text() == "ready"


def test_what_a_program_makes_of_its_environment_is_there_before_that_is_told(place: Place, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    mounts = (
        f"--mount=type=bind,source={tmp_path}/part,target=/tmp/wheelkiln/env",
        f"--mount=type=bind,source={tmp_path},target=/opt/wheelkiln/mnt/job",
    )
    done = engine(
        "run", "--rm", *mounts, place.reference, "sh", "-c", "echo x > /tmp/wheelkiln/env/made; echo told; exit 3"
    )
    assert (done.returncode, done.stdout) == (3, "told\n"), done.stderr
    assert (tmp_path / "part/made").read_text() == "x\n"


def test_a_filled_project_directory_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("opt/wheelkiln/mnt", "project"):
        (root / name).mkdir(parents=True)
    (root / "project/checkout").write_text("mine", encoding="utf-8")
    place = Place(f"r:{uuid.uuid4().hex}", "d", "x86_64", private=False, root=str(root))
    write_place(place)
    done = engine("run", "--rm", place.reference, "true")
    assert done.returncode != 0
    assert "is not empty" in done.stderr
    assert (root / "project/checkout").read_text() == "mine"


def test_containers_are_listed_by_their_runs(created: str) -> None:
    listed = engine("ps", "-a", "--filter", "label=io.wheelkiln.run", "--format", "{{json .Labels}}").stdout
    assert {"io.wheelkiln.run": f"{created}-run"} in [json.loads(line) for line in listed.splitlines()]
    ids = engine("ps", "-aq", "--no-trunc", "--filter", f"label=io.wheelkiln.run={created}-run").stdout
    assert ids.split() == [created]


def test_what_has_no_place_and_what_is_no_command_are_told() -> None:
    for argv in (("start", "--attach", "nobody"), ("create", "nowhere:1", "true"), ("build", ".")):
        done = engine(*argv)
        assert done.returncode == 125
        assert "wheelkiln, in place:" in done.stderr
        assert "Traceback" not in done.stderr


def test_it_is_found_as_docker_and_has_the_versions_that_cibuildwheel_asks_for() -> None:
    program = shutil.which("docker", path=str(program_directory()))
    assert program is not None
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [program, "version", "-f", "{{json .}}"], capture_output=True, text=True, check=True, env=environ
    )
    assert json.loads(done.stdout)["Server"]["ApiVersion"] == "1.41"


def test_the_plan_says_what_this_machine_would_build(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "kern"\nversion = "1.2"\n', encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-m", "wheelkiln", "plan", "--engine", "none", "--format", "json"]
    command += ["--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environ)
    plan = json.loads(done.stdout)
    assert done.returncode == (0 if plan["jobs"] else 4)
    assert {job["image"].partition("_")[0] for job in plan["jobs"]} <= {"wheelkiln/in-place"}
    assert {entry["reason"] for entry in plan["skipped"]} <= {"no-interpreter"}
    assert len(plan["jobs"]) + len(plan["skipped"]) == 4
    assert "builds run in place" in " ".join(done.stderr.split())
