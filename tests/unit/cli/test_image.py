from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import ARCHITECTURES, BOOTSTRAP, DIGEST, PYPA, FakeStore, name_of
from tests.values import CIBUILDWHEEL, make_config, make_engine, make_host
from wheelkiln.cli.image import _build, _Images, _inspect, _make_provider, _possible, _prune, _push, command
from wheelkiln.cli.own_config import OwnConfig
from wheelkiln.errors import EnvironmentProblem, NothingSelectedError, UsageProblem, WheelkilnError
from wheelkiln.image.bake import BuildOptions, Provenance
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.recipe import base_reference, render_recipe
from wheelkiln.plan.images import make_images
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.process import ProcessRunner

_TAG = render_recipe(PYPA).tag
_LABELS = {"io.wheelkiln.toolchain": "gcc 14.2.1 sve2", "io.wheelkiln.versions": "ccache 4.13.6"}
_BUILDER = "Name: default\nDriver: docker\nPlatforms: linux/amd64, linux/arm64\n"


class FakeDocker(FakeStore):
    """An engine that makes whatever a bake file names, and keeps what is pushed."""

    def __init__(self, *present: str) -> None:
        super().__init__({name: dict(_LABELS) for name in present})
        self.bakes: list[dict[str, Any]] = []
        script: dict[str, Script] = {
            **self.script(),
            "docker buildx inspect": Answer(_BUILDER),
            "docker buildx bake": self.bake,
            "docker buildx imagetools create": Answer(),
            "docker buildx imagetools inspect": Answer(DIGEST),
            "docker push --quiet": Answer(),
            "docker history": Answer(json.dumps({"CreatedBy": "bash /mnt/wheelkiln/finish.sh", "Size": "2048"})),
            "docker image ls": lambda _: Answer("\n".join(self.images)),
            "python -m pip config list": Answer("global.index-url='https://index.example/simple'\n"),
        }
        self.runner = FakeRunner(script)

    def bake(self, call: Call) -> Answer:
        table = json.loads(Path(call.argv[6].removeprefix("--file=")).read_text())
        self.bakes.append(table)
        for target in table["target"].values():
            self.images |= {tag: dict(_LABELS) for tag in target["tags"] if target["output"] == ["type=docker"]}
            for place in (output.partition("dest=")[2] for output in target["output"] if "dest=" in output):
                for platform in ("", "linux_amd64", "linux_arm64"):
                    (Path(place) / platform).mkdir(parents=True)
                    (Path(place) / platform / "toolchain.txt").write_text("gcc 14\n")
                    (Path(place) / platform / "versions.txt").write_text("ccache 4\n")
        return Answer()

    def lines(self, words: str) -> list[str]:
        return [line for line in self.runner.lines if line.startswith(words)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def _images(
    docker: FakeDocker,
    directory: Path,
    *,
    specs: tuple[ImageSpec, ...] = (PYPA,),
    architectures: tuple[str, ...] = ARCHITECTURES,
    image: dict[str, Any] | None = None,
) -> _Images:
    (directory / "pyproject.toml").write_text('[project]\nname = "kern"\nurls = { Source = "https://host/kern" }\n')
    cache = directory.parent / "cache"
    host = make_host(uid=os.getuid(), cache_dir=cache, cwd=directory, emulated=frozenset({"aarch64"}))
    config = make_config({"image": image or {}})
    return _Images(
        own=OwnConfig(config, host, ProcessRunner(), directory),
        config=config,
        host=host,
        engine=make_engine(docker.runner),
        runner=docker.runner,
        directory=directory,
        specs=specs,
        architectures=architectures,
    )


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize("name", ["build", "inspect", "push", "prune"])
@pytest.mark.parametrize("platform", ["linux/s390x", "linux/amd64,windows/amd64", "amd64"])
def test_a_platform_that_no_image_is_made_for_is_refused(directory: Path, name: str, platform: str) -> None:
    with pytest.raises(UsageProblem, match="images are made for linux/amd64 and linux/arm64"):
        _run(name, str(directory), "--platform", platform)


def test_every_command_says_what_it_does() -> None:
    text = _run("--help").output
    for name in ("build", "inspect", "push", "prune"):
        assert name in text
        assert "DIRECTORY" in _run(name, "--help").output


def test_images_are_built_for_all_architectures_at_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker = FakeDocker()
    images = _images(docker, directory)
    _build(images, BuildOptions(), "text")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [f"{name_of(PYPA, arch)}  built" for arch in ARCHITECTURES]
    assert printed.err == f"building the image manylinux_2_28:{_TAG} for x86_64, aarch64\n"
    assert len(docker.bakes) == 2
    assert ImageMemory(images.cache_dir).in_use() == {name_of(PYPA, arch) for arch in ARCHITECTURES}


def test_images_that_are_there_are_told_and_left_alone(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker = FakeDocker(name_of(PYPA))
    _build(_images(docker, directory, architectures=("x86_64",)), BuildOptions(), "text")
    assert capsys.readouterr().out == f"{name_of(PYPA)}  present\n"
    assert docker.bakes == []


def test_an_architecture_that_a_base_does_not_have_is_left_out(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(PYPA, bases=PYPA.bases[:1])
    _build(_images(FakeDocker(), directory, specs=(spec,)), BuildOptions(), "text")
    assert capsys.readouterr().out == f"{name_of(spec)}  built\n"


def test_what_was_built_is_told_to_programs(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker = FakeDocker()
    images = _images(docker, directory, architectures=("x86_64",), image={"repository": "ghcr.io/acme/kiln"})
    _build(images, BuildOptions(repository="ghcr.io/acme/kiln", push=True), "json")
    told = json.loads(capsys.readouterr().out)
    assert told["pushed"] == [f"ghcr.io/acme/kiln/manylinux_2_28:{_TAG}"]
    (image,) = told["images"]
    assert image == {
        "name": "manylinux_2_28_x86_64",
        "reference": name_of(PYPA),
        "digest": image["digest"],
        "origin": "built",
        "tools": [["ccache", "4.13.6"]],
        "toolchain": "gcc 14.2.1 sve2",
        "host": "",
    }


def test_what_is_pushed_has_attestations_and_need_not_be_kept(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = FakeDocker()
    images = _images(docker, directory, image={"repository": "ghcr.io/acme/kiln"})
    _build(images, BuildOptions(repository="ghcr.io/acme/kiln", push=True, load=False), "text")
    assert capsys.readouterr().out == f"ghcr.io/acme/kiln/manylinux_2_28:{_TAG}  pushed\n"
    assert docker.bakes[1]["target"]["image"]["attest"] == ["type=provenance", "type=sbom"]
    assert docker.images == {}


def test_pushing_while_building_needs_to_know_where(directory: Path) -> None:
    docker = FakeDocker()
    with pytest.raises(UsageProblem, match=r"image\.repository"):
        _build(_images(docker, directory), BuildOptions(push=True), "text")
    assert docker.runner.calls == []


def test_the_provider_is_made_of_what_is_configured(directory: Path) -> None:
    images = _images(FakeDocker(), directory, image={"builder": {"name": "ci"}})
    provider = _make_provider(images, BuildOptions(), print)
    assert provider.builder.name == "ci"
    assert provider.pip().index_url == "https://index.example/simple"
    assert provider.cache_dir == images.cache_dir
    assert provider.provenance() == Provenance("https://host/kern")
    assert provider.options.attestations == ()


def test_attestations_are_chosen_only_for_what_is_pushed(directory: Path) -> None:
    docker = FakeDocker()
    images = _images(docker, directory, image={"attestations": ["sbom"]})
    assert _make_provider(images, BuildOptions(push=True), print).options.attestations == ("sbom",)
    assert docker.lines("docker buildx imagetools") == []


def test_images_that_are_there_are_pushed_and_named_as_one(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker = FakeDocker(name_of(PYPA), name_of(PYPA, "aarch64"))
    _push(_images(docker, directory, image={"repository": "ghcr.io/acme/kiln"}))
    listed = f"ghcr.io/acme/kiln/manylinux_2_28:{_TAG}"
    assert capsys.readouterr().out == f"{listed}\n"
    assert docker.lines("docker buildx imagetools create") == [
        f"docker buildx imagetools create --tag {listed} {listed}-aarch64 {listed}-x86_64"
    ]


def test_an_image_that_is_not_there_is_not_pushed(directory: Path) -> None:
    docker = FakeDocker(name_of(PYPA))
    with pytest.raises(EnvironmentProblem, match=f"{name_of(PYPA, 'aarch64')} is not there") as caught:
        _push(_images(docker, directory, image={"repository": "ghcr.io/acme/kiln"}))
    assert "wheelkiln image build" in caught.value.hint
    assert docker.lines("docker push") == []


def test_pushing_needs_to_know_where(directory: Path) -> None:
    docker = FakeDocker(name_of(PYPA), name_of(PYPA, "aarch64"))
    with pytest.raises(UsageProblem, match=r"image\.repository") as caught:
        _push(_images(docker, directory))
    assert "repository =" in caught.value.hint
    assert docker.runner.calls == []


def test_images_are_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _inspect(_images(FakeDocker(name_of(PYPA)), directory), "text")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"manylinux_2_28_x86_64: {name_of(PYPA)}"
    assert "             2.0 KiB  links, the builder user, checks" in lines
    assert lines[-2:] == [
        f"manylinux_2_28_aarch64: {name_of(PYPA, 'aarch64')}",
        "  not there yet: 'wheelkiln image build' makes it, as does the first 'wheelkiln build'",
    ]


def test_images_are_shown_to_programs(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _inspect(_images(FakeDocker(name_of(PYPA)), directory), "json")
    told = json.loads(capsys.readouterr().out)
    assert [(view["name"], view["present"], view["own_size"]) for view in told] == [
        ("manylinux_2_28_x86_64", True, 2048),
        ("manylinux_2_28_aarch64", False, 0),
    ]


def test_where_the_configuration_has_changed_it_is_said_how(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = FakeDocker()
    images = _images(docker, directory, architectures=("x86_64",))
    old = "localhost/wheelkiln/manylinux_2_28_x86_64:aaaaaaaaaaaaaaaa"
    docker.images[old] = {"io.wheelkiln.inputs": render_recipe(replace(PYPA, toolchain="clang")).inputs}
    ImageMemory(images.cache_dir).remember_use(directory, {"manylinux_2_28_x86_64": old})
    _inspect(images, "text")
    assert "    would change: toolchain: clang -> gcc" in capsys.readouterr().out.splitlines()


def _remember(images: _Images, *names: str) -> None:
    for name in names:
        ImageMemory(images.cache_dir).remember_toolchain(name, "gcc 14")


def test_pruning_keeps_what_is_wanted_and_what_others_made(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, foreign = (f"localhost/wheelkiln/manylinux_2_28_x86_64:{digit * 16}" for digit in "ab")
    docker = FakeDocker(name_of(PYPA), old, foreign)
    images = _images(docker, directory)
    _remember(images, name_of(PYPA), old)
    _prune(images, all_images=False, dry_run=True)
    assert capsys.readouterr().out == f"would remove {old}\n"
    assert old in docker.images
    _prune(images, all_images=False, dry_run=False)
    assert capsys.readouterr().out == f"removed {old}\n"
    assert set(docker.images) == {name_of(PYPA), foreign}
    _prune(images, all_images=True, dry_run=False)
    assert set(docker.images) == {name_of(PYPA)}


def test_the_bootstrap_base_of_a_wanted_image_is_kept(directory: Path) -> None:
    bases = {base_reference(BOOTSTRAP, base) for base in BOOTSTRAP.bases}
    docker = FakeDocker(*bases, name_of(BOOTSTRAP))
    _prune(_images(docker, directory, specs=(BOOTSTRAP,)), all_images=True, dry_run=False)
    assert set(docker.images) == {*bases, name_of(BOOTSTRAP)}


def test_an_image_that_is_still_used_is_kept_with_the_reason(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "localhost/wheelkiln/manylinux_2_28_x86_64:aaaaaaaaaaaaaaaa"
    docker = FakeDocker(old)
    reason = "Error response from daemon: conflict: container 12 is using its referenced image"
    docker.runner.script = {**docker.runner.script, "docker rmi": Answer(returncode=1, stderr=reason)}
    _prune(_images(docker, directory), all_images=True, dry_run=False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"kept {old}: {reason}\n")


def test_a_bootstrap_base_makes_no_image_for_musl_alone() -> None:
    config = make_config({"libc": ["musllinux"], "image": {"base": "bootstrap"}})
    specs = make_images(config, make_host(), CIBUILDWHEEL)
    with pytest.raises(NothingSelectedError, match="glibc"):
        _possible(specs, config)
    assert _possible((BOOTSTRAP,), make_config()) == (BOOTSTRAP,)


def test_a_configuration_with_errors_is_refused(directory: Path) -> None:
    (directory / "wheelkiln.toml").write_text("[image]\ntoolchain = 'icc'\n")
    with pytest.raises(WheelkilnError, match="toolchain"):
        _run("build", str(directory))
