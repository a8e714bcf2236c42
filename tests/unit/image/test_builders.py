from __future__ import annotations

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import make_engine
from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.builders import Builder, choose_builder

_DEFAULT = """\
Name:          default
Driver:        docker
Last Activity: 2026-07-01 10:00:00 +0000 UTC

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.12.5
Platforms:        linux/amd64, linux/amd64/v2, linux/386
Labels:
 org.mobyproject.buildkit.worker.moby.host-gateway-ip: 172.17.0.1
GC Policy rule#0:
 All:           false
"""
_TWO_NODES = """\
Name:          {name}
Driver:        docker-container
Last Activity: 2026-07-01 10:00:00 +0000 UTC

Nodes:
Name:             local
Endpoint:         unix:///var/run/docker.sock
Status:           running
BuildKit version: v0.13.1
Platforms:        linux/amd64*, linux/amd64/v2, linux/386

Name:      graviton
Endpoint:  ssh://ci@graviton
Status:    running
Platforms: linux/arm64*
"""
_BROKEN_NODE = """\
Name:          ci
Driver:        docker-container

Nodes:
Name:      ci0
Endpoint:  ssh://ci@graviton
Error:     error during connect: ssh: connect to host ssh://ci:pw@graviton port 22: Connection refused
Platforms: linux/arm64*
"""
_ABSENT = Answer(returncode=1, stderr='ERROR: no builder "x" found\n')
_HOSTS = {"graviton": HostConfig(docker="ssh://ci@graviton", arch=("aarch64",))}
_BOTH = ("x86_64", "aarch64")


class FakeBuildx:
    """buildx's store of builders: what is created is there afterwards, with the platforms that it was given."""

    def __init__(self, fails_at: str = "never", starts: bool = True) -> None:
        self.fails_at, self.starts = fails_at, starts
        self.runner = FakeRunner(self.script())
        self.made: list[str] = []

    def script(self) -> dict[str, Script]:
        return {
            "docker buildx inspect": self.inspect,
            "docker buildx create": self.create,
            "docker buildx rm --force": self.remove,
        }

    def inspect(self, call: Call) -> Answer:
        if call.argv[-1] not in self.made or ("--bootstrap" in call.argv and not self.starts):
            return _ABSENT
        return Answer(_TWO_NODES.format(name=call.argv[-1]))

    def create(self, call: Call) -> Answer:
        if self.fails_at in call.line:
            return Answer(returncode=1, stderr="ERROR: could not connect to ssh://ci:pw@graviton\n")
        self.made.append(next(word for word in call.argv if word.startswith("--name=")).removeprefix("--name="))
        return Answer(self.made[-1])

    def remove(self, call: Call) -> Answer:
        self.made = [name for name in self.made if name != call.argv[-1]]
        return Answer()

    @property
    def creations(self) -> list[str]:
        return [line for line in self.runner.lines if line.startswith("docker buildx create")]


def _choose(
    runner: FakeRunner,
    config: BuilderConfig | None = None,
    hosts: dict[str, HostConfig] | None = None,
    architectures: tuple[str, ...] = _BOTH,
) -> Builder:
    return choose_builder(
        make_engine(runner), config or BuilderConfig(), hosts or {}, machine="x86_64", architectures=architectures
    )


def test_without_a_configuration_it_is_dockers_current_builder() -> None:
    runner = FakeRunner({"docker buildx inspect": Answer(_DEFAULT)})
    builder = _choose(runner)
    assert builder == Builder("default", "docker", frozenset({"linux/amd64", "linux/amd64/v2", "linux/386"}))
    assert builder.sees_local_images
    assert (builder.builds_for("x86_64"), builder.builds_for("aarch64")) == (True, False)
    assert runner.lines == ["docker buildx inspect"]


def test_without_any_builder_there_is_a_reason() -> None:
    with pytest.raises(EnvironmentProblem, match="no builder that answers"):
        _choose(FakeRunner({"docker buildx inspect": _ABSENT}))


def test_a_builder_that_is_named_and_there_is_used_as_it_is() -> None:
    runner = FakeRunner({"docker buildx inspect ci": Answer(_TWO_NODES.format(name="ci"))})
    builder = _choose(runner, BuilderConfig(name="ci"))
    assert (builder.name, builder.driver, builder.sees_local_images) == ("ci", "docker-container", False)
    assert builder.builds_for("x86_64")
    assert builder.builds_for("aarch64")
    assert runner.lines == ["docker buildx inspect ci"]


def test_a_builder_that_is_named_and_absent_is_created() -> None:
    buildx = FakeBuildx()
    config = BuilderConfig(
        name="ci", driver="remote", endpoint="tcp://buildkit:1234", options={"image": "moby/b", "env.A": "1"}
    )
    assert _choose(buildx.runner, config).name == "ci"
    assert buildx.runner.lines == [
        "docker buildx inspect ci",
        "docker buildx create --name=ci --driver=remote --driver-opt=env.A=1 --driver-opt=image=moby/b "
        "tcp://buildkit:1234",
        "docker buildx inspect --bootstrap ci",
    ]


def test_each_machine_is_a_node_and_the_local_one_does_not_emulate_what_they_run() -> None:
    buildx = FakeBuildx()
    builder = _choose(buildx.runner, hosts=_HOSTS)
    assert builder.name.startswith("wheelkiln-")
    assert buildx.creations == [
        f"docker buildx create --name={builder.name} --driver=docker-container --node=this-machine "
        "--platform=linux/amd64",
        f"docker buildx create --name={builder.name} --driver=docker-container --append --node=host-graviton "
        "--platform=linux/arm64 ssh://ci@graviton",
    ]


def test_a_machine_of_both_architectures_leaves_the_local_node_its_own() -> None:
    buildx = FakeBuildx()
    _choose(buildx.runner, hosts={"Big.Host": HostConfig(docker="big", arch=("x86_64", "aarch64"))})
    assert "--node=this-machine --platform=linux/amd64" in buildx.creations[0]
    assert buildx.creations[1].endswith("--append --node=host-big-host --platform=linux/arm64,linux/amd64 big")


def test_the_local_node_emulates_what_no_machine_runs() -> None:
    buildx = FakeBuildx()
    choose_builder(
        make_engine(buildx.runner),
        BuilderConfig(),
        {"intel": HostConfig(docker="intel", arch=("x86_64",))},
        machine="aarch64",
        architectures=_BOTH,
    )
    assert "--node=this-machine --platform=linux/arm64" in buildx.creations[0]
    assert buildx.creations[1].endswith("--append --node=host-intel --platform=linux/amd64 intel")


def test_machines_that_are_not_needed_make_no_builder() -> None:
    runner = FakeRunner({"docker buildx inspect": Answer(_DEFAULT)})
    assert _choose(runner, hosts=_HOSTS, architectures=("x86_64",)).name == "default"
    native = {"spare": HostConfig(docker="spare", arch=("x86_64",))}
    assert _choose(runner, hosts=native).name == "default"
    assert set(runner.lines) == {"docker buildx inspect"}


def test_a_builder_with_nodes_is_made_once_and_another_configuration_makes_another() -> None:
    buildx = FakeBuildx()
    first = _choose(buildx.runner, BuilderConfig(name="ci"), _HOSTS)
    assert _choose(buildx.runner, BuilderConfig(name="ci"), _HOSTS) == first
    assert len(buildx.creations) == 2
    other = _choose(buildx.runner, BuilderConfig(name="ci", options={"image": "moby/b"}), _HOSTS)
    assert (first.name != other.name, first.name[:3], other.name[:3]) == (True, "ci-", "ci-")


def test_a_builder_that_is_half_made_is_removed() -> None:
    buildx = FakeBuildx(fails_at="--append")
    with pytest.raises(EnvironmentProblem, match=r"could not be created at ssh://\*\*\*@graviton: ERROR") as caught:
        _choose(buildx.runner, hosts=_HOSTS)
    assert buildx.made == []
    assert "pw" not in caught.value.message
    assert "[tool.wheelkiln.hosts]" in caught.value.hint


def test_a_builder_that_was_not_made_here_is_never_removed() -> None:
    buildx = FakeBuildx(fails_at="create")
    with pytest.raises(EnvironmentProblem, match="the builder ci could not be created"):
        _choose(buildx.runner, BuilderConfig(name="ci"))
    assert not [line for line in buildx.runner.lines if " rm " in line]


def test_a_builder_with_a_broken_node_is_told_and_left_alone() -> None:
    runner = FakeRunner({"docker buildx inspect ci": Answer(_BROKEN_NODE)})
    with pytest.raises(EnvironmentProblem, match=r"the builder ci does not answer: .*Connection refused") as caught:
        _choose(runner, BuilderConfig(name="ci"))
    assert "ssh://***@graviton" in caught.value.message
    assert runner.lines == ["docker buildx inspect ci"]


def test_a_builder_that_does_not_start_is_told() -> None:
    with pytest.raises(EnvironmentProblem, match="was created and does not start") as caught:
        _choose(FakeBuildx(starts=False).runner, BuilderConfig(name="ci"))
    assert "docker buildx rm ci" in caught.value.hint
