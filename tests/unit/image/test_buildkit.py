from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import BOOTSTRAP, DIGEST, PYPA, make_bake_inputs
from tests.values import make_engine, make_host
from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bake import BakeInputs, BuildOptions
from wheelkiln.image.buildkit import build_with_buildkit
from wheelkiln.image.recipe import base_reference

_INSPECT = """\
Name:          {name}
Driver:        {driver}

Nodes:
Name:             {name}0
Status:           running
Platforms:        {platforms}
"""
_REFUSED = """\
#9 pushing layers
#9 ERROR: failed to push h/r: denied
ERROR: target image: failed to solve: failed to push h/r: denied
"""


class FakeBuildKit:
    """Solves bake files: writes the reports where they are wanted, and remembers all it was told."""

    def __init__(self, scratch: Path, platforms: str = "linux/amd64, linux/arm64", driver: str = "docker") -> None:
        self.scratch = scratch
        (scratch / "context").mkdir()
        self.bakes: list[dict[str, Any]] = []
        self.modes: set[int] = set()
        self.lines = list[str]()
        self.answer: dict[str, Answer] = {}
        inspected = Answer(_INSPECT.format(name="ci", driver=driver, platforms=platforms))
        script: dict[str, Script] = {
            "docker buildx inspect": inspected,
            "docker buildx bake": self.bake,
            "docker rmi": Answer(),
            "docker save": self.save,
            "tar -xf": self.unpack,
        }
        self.runner = FakeRunner(script)

    def bake(self, call: Call) -> Answer:
        assert call.argv[5] == "--file=docker-bake.json"
        path = Path(call.argv[6].removeprefix("--file="))
        self.modes.add(path.stat().st_mode & 0o777)
        self.bakes.append(json.loads(path.read_text()))
        if "report" in call.argv:
            self.report(self.bakes[-1]["target"]["report"]["platforms"])
        return self.answer.get(path.name, Answer("#1 done\n"))

    def report(self, platforms: list[str]) -> None:
        for platform in platforms:
            split = self.scratch / "reports" / platform.replace("/", "_")
            place = split if len(platforms) > 1 else self.scratch / "reports"
            place.mkdir(parents=True)
            (place / "toolchain.txt").write_text(f"gcc 14 {platform}\n")
            (place / "versions.txt").write_text("ccache 4.13.6\nlibc 2.28\n")

    def save(self, call: Call) -> Answer:
        with tarfile.open(call.option("--output"), "w"):
            pass
        return Answer()

    def unpack(self, call: Call) -> Answer:
        index = {"manifests": [{"digest": DIGEST}]}
        (Path(call.option("-C")) / "index.json").write_text(json.dumps(index))
        return Answer()

    def run(
        self,
        inputs: BakeInputs,
        config: BuilderConfig | None = None,
        hosts: dict[str, HostConfig] | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        host = make_host(environ=environ or {"PATH": "/bin"})
        build_with_buildkit(
            make_engine(self.runner),
            host,
            config or BuilderConfig(),
            hosts or {},
            inputs,
            self.scratch,
            self.lines.append,
        )

    def calls(self, words: str) -> list[Call]:
        return [call for call in self.runner.calls if call.line.startswith(words)]


def test_two_solves_lay_their_files_over_the_recipes(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.run(make_bake_inputs(build_args=("http_proxy",)), environ={"http_proxy": "http://u:pw@proxy", "A": "1"})
    first, second = buildkit.calls("docker buildx bake")
    shared = ["docker", "buildx", "bake", "--builder=ci", "--progress=plain", "--file=docker-bake.json"]
    assert list(first.argv) == [*shared, f"--file={tmp_path}/report.json", "--set=*.args.http_proxy", "report"]
    assert list(second.argv) == [
        *shared,
        f"--file={tmp_path}/final.json",
        "--set=*.args.http_proxy",
        "image-x86_64",
        "image-aarch64",
    ]
    for call in (first, second):
        assert call.cwd == tmp_path / "context"
        assert call.env == {"http_proxy": "http://u:pw@proxy", "A": "1", "BUILDX_BAKE_ENTITLEMENTS_FS": "0"}
    assert "pw" not in json.dumps(buildkit.bakes)
    assert not [line for line in buildkit.runner.lines if "pw" in line]
    assert buildkit.lines == ["#1 done", "#1 done"]


@pytest.mark.parametrize("architectures", [("aarch64",), ("x86_64", "aarch64")])
def test_what_the_first_solve_found_is_told_to_the_second(tmp_path: Path, architectures: tuple[str, ...]) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.run(make_bake_inputs(architectures=architectures))
    args = buildkit.bakes[1]["target"]["image-aarch64"]["args"]
    assert args["TOOLCHAIN_ARM64"] == "gcc 14 linux/arm64"
    assert args["VERSIONS_ARM64"] == "ccache 4.13.6; libc 2.28"
    assert ("TOOLCHAIN_AMD64" in args) is ("x86_64" in architectures)


def test_the_overlaid_files_are_private(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.run(make_bake_inputs())
    assert buildkit.modes == {0o600}


def test_a_trial_has_one_solve(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.run(make_bake_inputs(options=BuildOptions(load=False)))
    assert [call.argv[-1] for call in buildkit.calls("docker buildx bake")] == ["report"]


def test_without_buildx_it_says_so(tmp_path: Path) -> None:
    engine = make_engine(FakeRunner(), can_build=False)
    with pytest.raises(EnvironmentProblem, match="docker has no buildx"):
        build_with_buildkit(engine, make_host(), BuilderConfig(), {}, make_bake_inputs(), tmp_path, print)


def test_the_builder_of_the_command_line_displaces_the_configured_one_and_its_machines(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    hosts = {"graviton": HostConfig(docker="ssh://graviton", arch=("aarch64",))}
    inputs = make_bake_inputs(options=BuildOptions(builder="mine"))
    buildkit.run(inputs, BuilderConfig(name="configured"), hosts)
    assert [call.line for call in buildkit.calls("docker buildx inspect")] == ["docker buildx inspect mine"]


def test_a_builder_that_cannot_build_for_an_architecture_builds_nothing(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path, platforms="linux/amd64, linux/386")
    with pytest.raises(EnvironmentProblem, match="the builder ci has no node that builds for aarch64") as caught:
        buildkit.run(make_bake_inputs())
    assert "linux/386, linux/amd64" in caught.value.message
    assert "--register-emulators" in caught.value.hint
    assert buildkit.bakes == []


def test_a_builder_that_sleeps_says_nothing_of_its_platforms(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path, platforms="", driver="docker-container")
    buildkit.run(make_bake_inputs())
    assert len(buildkit.bakes) == 2


def test_dockers_own_builder_sees_a_bootstrap_base(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.run(make_bake_inputs(BOOTSTRAP))
    assert [bake["target"].popitem()[1]["contexts"] for bake in buildkit.bakes] == [{}, {}]
    assert not buildkit.calls("docker save")


def test_another_builder_gets_the_bootstrap_bases_as_layouts(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path, driver="docker-container")
    buildkit.run(make_bake_inputs(BOOTSTRAP))
    expected = {
        base_reference(BOOTSTRAP, base): f"oci-layout://{tmp_path}/base-{base.arch}@{DIGEST}"
        for base in BOOTSTRAP.bases
    }
    assert [target["contexts"] for bake in buildkit.bakes for target in bake["target"].values()] == [expected] * 3
    dockerfile = make_bake_inputs(BOOTSTRAP).recipe.files["Dockerfile"]
    assert not [reference for reference in expected if f"FROM {reference} AS" not in dockerfile]


def test_bases_of_a_registry_need_no_layouts(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path, driver="docker-container")
    buildkit.run(make_bake_inputs(PYPA))
    assert not buildkit.calls("docker save")


def test_a_failed_first_solve_is_told_and_ends_it(tmp_path: Path) -> None:
    buildkit = FakeBuildKit(tmp_path)
    output = (
        "------\n > [finished 3/6] RUN x:\n0.5 No match for argument: nosuch\n------\nERROR: target report: failed\n"
    )
    buildkit.answer["report.json"] = Answer(output, returncode=1)
    inputs = make_bake_inputs()
    with pytest.raises(EnvironmentProblem) as caught:
        buildkit.run(inputs)
    assert caught.value.message.splitlines() == [
        f"the image manylinux_2_28:{inputs.recipe.tag} could not be built:",
        "  | No match for argument: nosuch",
        "  | ERROR: target report: failed",
    ]
    assert "image.packages" in caught.value.hint
    assert len(buildkit.bakes) == 1


@pytest.mark.parametrize(("push", "what"), [(True, "pushed"), (False, "built")])
def test_a_failed_push_is_told_as_one(tmp_path: Path, push: bool, what: str) -> None:
    buildkit = FakeBuildKit(tmp_path)
    buildkit.answer["final.json"] = Answer(_REFUSED, returncode=1)
    with pytest.raises(EnvironmentProblem, match=f"could not be {what}:"):
        buildkit.run(make_bake_inputs(options=BuildOptions(repository="h/r", push=push)))
