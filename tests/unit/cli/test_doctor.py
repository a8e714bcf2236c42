"""`wheelkiln doctor` over a fake machine: readings are taken, a silent network ends, lines fit."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from wheelkiln.cli.doctor import examine, render_lines
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.diagnosis import Check, Diagnosis, Status
from wheelkiln.system.engine import EngineName
from wheelkiln.system.host import HostFacts
from wheelkiln.system.probes import default_index, read_machine
from wheelkiln.system.process import Completed
from wheelkiln.system.reach import Reach, place_of

CIBUILDWHEEL = CibuildwheelFacts(
    version="4.3",
    identifiers=(),
    images={
        "x86_64": {
            "manylinux_2_28": "r.example/pypa/x@sha256:1",
            "manylinux_2_34": "other.example/x",
            "musllinux_1_2": "musl.example/x",
        }
    },
)


class FakeRunner:
    """Prints what is set for a command's first words; an unknown program is not installed."""

    def __init__(self, outputs: Mapping[str, str]) -> None:
        self.outputs = outputs

    def capture(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stdin: Path | None = None,
    ) -> Completed:
        line = " ".join(argv)
        for words, output in self.outputs.items():
            if words in line:
                return Completed(tuple(argv), 0, output, "")
        if "pip config" in line:
            return Completed(tuple(argv), 0, "", "")
        raise EnvironmentProblem(f"'{argv[0]}' did not answer")

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        raise NotImplementedError

    def stop(self) -> None:
        pass

    def stream(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> int:
        raise NotImplementedError


DOCKER = {
    "docker version": json.dumps({"Server": {"Version": "28.2"}}),
    "docker info": '["name=rootless"]',
    "docker buildx version": "github.com/docker/buildx v0.13.1 788433953af",
}


class FakeProbes:
    def __init__(self, outputs: Mapping[str, str], *, answer: Callable[[str], int] = lambda _: 200) -> None:
        self.runner = FakeRunner(outputs)
        self.programs = {"docker"}
        self.answer = answer
        self.asked: list[str] = []

    def request(self, url: str, *, ca_bundle: str | None, proxy: str, verify: bool) -> int:
        self.asked.append(url)
        return self.answer(url)

    def has_program(self, name: str) -> bool:
        return name in self.programs

    def free_bytes(self, path: Path) -> int:
        return 100 << 30

    def memory_bytes(self) -> int | None:
        return 8 << 30

    def version_of(self, distribution: str) -> str | None:
        return "1.0"

    def in_image(self) -> bool:
        return False

    def own_pythons(self, host: HostFacts) -> tuple[str, ...]:
        return ()


@pytest.fixture
def host(tmp_path: Path) -> HostFacts:
    return HostFacts(
        uid=1000,
        gid=1000,
        machine="x86_64",
        cpus=2,
        home=tmp_path,
        cwd=tmp_path,
        cache_dir=tmp_path / "cache",
        environ={"PIP_CERT": "/nowhere"},
    )


def details(diagnosis: Diagnosis) -> dict[str, str]:
    return {check.name: check.detail for check in diagnosis.checks}


def test_reads_engine_registry_and_default_index(host: HostFacts) -> None:
    probes = FakeProbes(DOCKER)
    diagnosis = examine(probes, host, CIBUILDWHEEL)
    found = details(diagnosis)
    assert diagnosis.usable
    assert (found["docker"], found["buildx"], found["podman"]) == (
        "28.2, rootless",
        "0.13.1",
        "not installed; docker is there",
    )
    assert found["registry"] == "r.example answers (HTTP 200)"
    assert sorted(probes.asked) == sorted(["https://r.example/v2/", default_index()])
    assert found["certificates"] == "PIP_CERT name no file"


def test_the_configuration_of_the_directory_counts(host: HostFacts) -> None:
    (host.cwd / "wheelkiln.toml").write_text('policy = "manylinux_2_34"\npython = ["cp313"]\ncache.dir = "here"\n')
    diagnosis = examine(FakeProbes(DOCKER), host, CIBUILDWHEEL)
    assert details(diagnosis)["registry"].startswith("other.example")
    assert "no cp313;" in details(diagnosis)["interpreters"] or "cp313 3.13" in details(diagnosis)["interpreters"]
    disks = [check.detail for check in diagnosis.checks if check.name == "disk"]
    assert disks[0] == f"100.0 GiB free at {host.cwd / 'here'}"


@pytest.mark.parametrize(
    ("libc", "registry"), [('["musllinux"]', "musl.example"), ('["musllinux", "manylinux"]', "r.example")]
)
def test_the_registry_of_the_c_library_that_is_built_for_counts(host: HostFacts, libc: str, registry: str) -> None:
    (host.cwd / "wheelkiln.toml").write_text(f"libc = {libc}\n")
    assert details(examine(FakeProbes(DOCKER), host, CIBUILDWHEEL))["registry"] == f"{registry} answers (HTTP 200)"


def test_the_python_of_the_configured_release_counts(host: HostFacts) -> None:
    (host.cwd / "wheelkiln.toml").write_text('python = ["cp39"]\nimage = { base = "bootstrap", release = "noble" }\n')
    probes = FakeProbes(DOCKER)
    probes.programs.add("mmdebstrap")
    assert "the bootstrap base cannot be made" in examine(probes, host, CIBUILDWHEEL).obstacles
    (host.cwd / "wheelkiln.toml").write_text('python = ["cp312"]\nimage = { base = "bootstrap", release = "noble" }\n')
    assert examine(probes, host, CIBUILDWHEEL).obstacles == ()


def test_a_faulty_configuration_is_a_warning(host: HostFacts) -> None:
    (host.cwd / "wheelkiln.toml").write_text("pithon = 1\n")
    diagnosis = examine(FakeProbes(DOCKER), host, CIBUILDWHEEL)
    assert diagnosis.checks[-1].name == "configuration"
    assert diagnosis.checks[-1].status is Status.WARNING
    assert diagnosis.usable


def test_an_engine_that_does_not_answer_says_so(host: HostFacts) -> None:
    diagnosis = examine(FakeProbes({}), host, CIBUILDWHEEL)
    assert details(diagnosis)["docker"] == "'docker' did not answer"
    assert diagnosis.obstacles == ("no container engine answers and can build images",)


def test_a_silent_network_does_not_hold_the_command(host: HostFacts) -> None:
    release = threading.Event()

    def hang(_url: str) -> int:
        release.wait()
        return 200

    start = time.monotonic()
    readings = read_machine(
        FakeProbes(DOCKER, answer=hang), host, image="r.example/x", cache_dir=host.cache_dir, network_seconds=1.5
    )
    assert time.monotonic() - start < 3
    assert (readings.registry.trouble, readings.registry.place) == ("no answer", "r.example")
    assert readings.indexes == (Reach(place_of(default_index()), trouble="no answer"),)
    assert [engine.name for engine in readings.engines if engine.answers] == [EngineName.DOCKER]
    release.set()


def test_lines_fit_a_narrow_terminal_and_remedies_stand_alone() -> None:
    checks = (
        Check("registry", Status.WARNING, "word " * 20 + "\x1b[31mred", "uv python install 3.13"),
        Check("docker", Status.OK, "28.2"),
    )
    lines = list(render_lines(Diagnosis(checks, ()), 60))
    plain = [line.replace("\x1b[33m", "").replace("\x1b[32m", "").replace("\x1b[0m", "") for line in lines]
    assert all(len(line) <= 60 and "\x1b" not in line for line in plain)
    assert plain[0].startswith("warning  registry: word")
    assert plain[-2:] == ["         try: uv python install 3.13", "ok       docker: 28.2"]
