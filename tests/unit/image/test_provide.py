from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import ARCHITECTURES, BOOTSTRAP, DIGEST, PYPA, FakeStore, name_of
from tests.values import IMAGE_ID, make_engine, make_host
from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bake import BuildOptions, Provenance
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.provide import BuiltImage, ImageProvider, Origin
from wheelkiln.image.recipe import base_reference, render_recipe
from wheelkiln.plan.features import Toolchain
from wheelkiln.system.engine import EngineName
from wheelkiln.system.locks import exclusive
from wheelkiln.system.pip_settings import PipSettings

_RECIPE = render_recipe(PYPA)
_LABELS = {
    "io.wheelkiln.toolchain": "gcc 14.2.1 avx512bf16",
    "io.wheelkiln.versions": "ccache 4.13.6; compiler gcc (GCC) 14.2.1; broken",
}
_TOOLS = (("ccache", "4.13.6"), ("compiler", "gcc (GCC) 14.2.1"))
_BUILDER = "Name: default\nDriver: docker\nPlatforms: linux/amd64, linux/arm64\n"
_ABSENT = Answer(returncode=1, stderr="ERROR: h/r/x: not found")
_INDEX = json.dumps(
    {
        "manifests": [
            {"digest": DIGEST, "platform": {"architecture": "amd64"}},
            {"digest": DIGEST, "platform": {"architecture": "arm64"}},
        ]
    }
)


class FakeDocker(FakeStore):
    """An engine with a builder: what a bake file names is there afterwards, with the labels that images get."""

    def __init__(self, *present: str) -> None:
        super().__init__({name: dict(_LABELS) for name in present})
        self.contexts: list[dict[str, str]] = []
        self.bakes: list[dict[str, Any]] = []
        self.secrets: dict[str, tuple[str, int]] = {}
        self.status = 0
        self.runner = FakeRunner(self.script())

    def script(self, engine: str = "docker") -> dict[str, Script]:
        return {
            **super().script(engine),
            "docker buildx inspect": Answer(_BUILDER),
            "docker buildx bake": self.bake,
            "docker buildx imagetools inspect": _ABSENT,
            "docker buildx imagetools create": Answer(),
            "docker pull": self.pull,
        }

    def pull(self, call: Call) -> Answer:
        self.images[call.argv[-1]] = dict(_LABELS)
        return Answer()

    def bake(self, call: Call) -> Answer:
        table = json.loads(Path(call.argv[6].removeprefix("--file=")).read_text())
        self.bakes.append(table)
        assert call.cwd is not None
        files = [path for path in sorted(call.cwd.rglob("*")) if path.is_file()]
        self.contexts.append({path.relative_to(call.cwd).as_posix(): path.read_text() for path in files})
        for target in table["target"].values():
            for secret in target["secret"]:
                name, path = (field.partition("=")[2] for field in secret.split(","))
                if Path(path).is_file():
                    self.secrets[name] = (Path(path).read_text(), Path(path).stat().st_mode & 0o777)
            self.images |= {tag: dict(_LABELS) for tag in target["tags"] if target["output"] == ["type=docker"]}
        for output in table["target"].get("report", {}).get("output", []):
            for platform in ("", "linux_amd64", "linux_arm64"):
                place = Path(output.partition("dest=")[2]) / platform
                place.mkdir(parents=True)
                (place / "toolchain.txt").write_text("gcc 14\n")
                (place / "versions.txt").write_text("ccache 4\n")
        return Answer("#1 done\n", returncode=self.status)

    def architectures(self) -> list[str]:
        """The architectures that the last second solve made."""
        targets = [name for bake in self.bakes[-1:] for name in bake["target"]]
        return [name.removeprefix("image-") for name in targets]

    def provider(self, tmp_path: Path, **changes: Any) -> Provider:
        return Provider(tmp_path, self, **changes)


class Provider:
    """The provider under test, with what it says."""

    def __init__(self, tmp_path: Path, docker: FakeDocker, **changes: Any) -> None:
        self.said = list[str]()
        self.cache_dir = tmp_path / "cache"
        provider = ImageProvider(
            engine=make_engine(docker.runner),
            host=make_host(emulated=frozenset({"aarch64"})),
            cache_dir=self.cache_dir,
            pip=PipSettings,
            say=self.said.append,
            log=lambda _: None,
        )
        self.provider = replace(provider, **changes)

    def provide(self, *architectures: str) -> tuple[BuiltImage, ...]:
        return self.provider.provide(PYPA, architectures or ("x86_64",))


def test_an_image_that_is_there_costs_nothing_but_inspects(tmp_path: Path) -> None:
    docker = FakeDocker(name_of(PYPA), name_of(PYPA, "aarch64"))
    provider = docker.provider(tmp_path, options=BuildOptions(repository="h/r"))
    first, second = provider.provide(*ARCHITECTURES)
    assert first == BuiltImage(
        "manylinux_2_28_x86_64", name_of(PYPA), IMAGE_ID, Origin.PRESENT, _TOOLS, "gcc 14.2.1 avx512bf16"
    )
    assert (second.name, second.origin) == ("manylinux_2_28_aarch64", Origin.PRESENT)
    assert {call.argv[1:3] for call in docker.runner.calls} == {("image", "inspect")}
    assert provider.said == []
    assert not (provider.cache_dir / "locks").exists()


def test_what_a_toolchain_can_do_is_remembered(tmp_path: Path) -> None:
    provider = FakeDocker(name_of(PYPA)).provider(tmp_path)
    provider.provide()
    known = ImageMemory(provider.cache_dir).toolchain(name_of(PYPA))
    assert known == Toolchain("gcc", "14.2.1", frozenset({"avx512bf16"}))


def test_an_absent_image_is_built_from_its_recipe(tmp_path: Path) -> None:
    docker = FakeDocker()
    provider = docker.provider(tmp_path, provenance=lambda: Provenance("https://host/x", "abc", 5))
    (image,) = provider.provide()
    assert (image.reference, image.origin) == (name_of(PYPA), Origin.BUILT)
    assert docker.contexts == [dict(_RECIPE.files)] * 2
    assert docker.bakes[1]["target"]["image-x86_64"]["labels"]["org.opencontainers.image.revision"] == "abc"
    assert provider.said == [f"building the image manylinux_2_28:{_RECIPE.tag} for x86_64"]


def test_only_the_architecture_that_is_absent_is_built(tmp_path: Path) -> None:
    docker = FakeDocker(name_of(PYPA))
    images = docker.provider(tmp_path).provide(*ARCHITECTURES)
    assert [image.origin for image in images] == [Origin.PRESENT, Origin.BUILT]
    assert docker.architectures() == ["aarch64"]


def test_an_image_that_was_pushed_is_pulled(tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.runner.script = {**docker.script(), "docker buildx imagetools inspect": Answer(_INDEX)}
    provider = docker.provider(tmp_path, options=BuildOptions(repository="h/r"))
    images = provider.provide(*ARCHITECTURES)
    assert [image.origin for image in images] == [Origin.PULLED] * 2
    assert images[0].toolchain == "gcc 14.2.1 avx512bf16"
    assert docker.bakes == []
    assert provider.said == [f"looking for h/r/manylinux_2_28:{_RECIPE.tag} ({arch})" for arch in ARCHITECTURES]


def test_what_was_not_pushed_is_built_without_a_word_of_the_registry(tmp_path: Path) -> None:
    docker = FakeDocker()
    index = json.dumps({"manifests": json.loads(_INDEX)["manifests"][:1]})
    docker.runner.script = {**docker.script(), "docker buildx imagetools inspect": Answer(index)}
    provider = docker.provider(tmp_path, options=BuildOptions(repository="h/r"))
    assert [image.origin for image in provider.provide(*ARCHITECTURES)] == [Origin.PULLED, Origin.BUILT]
    assert docker.architectures() == ["aarch64"]
    assert not [line for line in provider.said if "could not" in line]


def test_a_registry_that_does_not_answer_costs_a_message_and_a_build(tmp_path: Path) -> None:
    docker = FakeDocker()
    reason = "ERROR: failed to do request: dial tcp 10.0.0.1:443: i/o timeout"
    docker.runner.script = {
        **docker.script(),
        "docker buildx imagetools inspect": Answer(returncode=1, stderr=reason),
    }
    provider = docker.provider(tmp_path, options=BuildOptions(repository="h/r"))
    assert provider.provide()[0].origin is Origin.BUILT
    reference = f"h/r/manylinux_2_28:{_RECIPE.tag}"
    assert f"{reference} could not be looked for, so it is built here: {reason}" in provider.said


@pytest.mark.parametrize(
    "changes", [{"no_cache": True}, {"push": True}, {"cache_to": ("type=gha",), "export_cache": True}]
)
@pytest.mark.parametrize("present", [(), ("x86_64",), ARCHITECTURES])
def test_what_must_be_built_is_built_wherever_it_is_there(
    tmp_path: Path, changes: dict[str, Any], present: tuple[str, ...]
) -> None:
    docker = FakeDocker(*(name_of(PYPA, arch) for arch in present))
    docker.runner.script = {**docker.script(), "docker buildx imagetools inspect": Answer(_INDEX)}
    provider = docker.provider(tmp_path, options=BuildOptions(repository="h/r", **changes))
    images = provider.provide(*ARCHITECTURES)
    assert [image.origin for image in images] == [Origin.BUILT] * 2
    assert len(docker.bakes) == 2
    assert not [line for line in docker.runner.lines if "imagetools" in line or " pull " in line]


@pytest.mark.parametrize("changes", [{}, {"push": True, "repository": "h/r"}])
def test_what_is_not_loaded_is_not_asked_for(tmp_path: Path, changes: dict[str, Any]) -> None:
    docker = FakeDocker()
    assert docker.provider(tmp_path, options=BuildOptions(load=False, **changes)).provide() == ()
    assert docker.images == {}
    assert docker.bakes


def test_what_is_there_is_told_even_where_nothing_is_loaded(tmp_path: Path) -> None:
    docker = FakeDocker(name_of(PYPA))
    assert docker.provider(tmp_path, options=BuildOptions(load=False)).provide()[0].origin is Origin.PRESENT


def test_another_run_that_builds_it_is_waited_for(tmp_path: Path) -> None:
    docker = FakeDocker()
    provider = docker.provider(tmp_path)
    held, done = threading.Event(), threading.Event()

    def build() -> None:
        with exclusive(provider.cache_dir / "locks", f"image {_RECIPE.tag}", on_wait=lambda: None):
            held.set()
            done.wait(10)
            docker.images[name_of(PYPA)] = dict(_LABELS)

    def say(text: str) -> None:
        provider.said.append(text)
        done.set()

    provider.provider = replace(provider.provider, say=say)
    other = threading.Thread(target=build)
    other.start()
    assert held.wait(10)
    (image,) = provider.provide()
    other.join()
    assert provider.said == [f"another run is building manylinux_2_28:{_RECIPE.tag}; waiting for it"]
    assert image.origin is Origin.PRESENT
    assert docker.bakes == []


def test_an_image_that_was_built_by_hand_is_asked_itself(tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.images[name_of(PYPA)] = {"io.wheelkiln.toolchain": "", "io.wheelkiln.versions": ""}
    run = f"docker run --rm --network=none {name_of(PYPA)} cat /opt/wheelkiln/versions.txt"
    docker.runner.script = {**docker.script(), run: Answer("ccache 4.13.6\ncompiler gcc (GCC) 14.2.1\nbroken\n")}
    (image,) = docker.provider(tmp_path).provide()
    assert (image.tools, image.toolchain) == (_TOOLS, "")


def test_an_image_that_does_not_run_is_no_image(tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.images[name_of(PYPA)] = {}
    docker.runner.script = {**docker.script(), "docker run": Answer(returncode=1, stderr="exec format error")}
    provider = docker.provider(tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"cannot run the image .*: exec format error"):
        provider.provide()
    assert not ImageMemory(provider.cache_dir).has_seen(name_of(PYPA))


def test_a_build_that_leaves_no_image_is_told(tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.runner.script = {**docker.script(), "docker image inspect": Answer("[]", returncode=1)}
    with pytest.raises(EnvironmentProblem, match=r"docker made .* but does not have it"):
        docker.provider(tmp_path).provide()


def test_a_failed_build_leaves_nothing_and_gives_the_lock_back(tmp_path: Path) -> None:
    docker = FakeDocker()
    docker.status = 1
    provider = docker.provider(tmp_path)
    with pytest.raises(EnvironmentProblem, match="could not be built"):
        provider.provide()
    assert list((provider.cache_dir / "tmp").iterdir()) == []
    docker.status = 0
    assert provider.provide()[0].origin is Origin.BUILT
    assert len(provider.said) == 2
    assert list((provider.cache_dir / "tmp").iterdir()) == []


def test_pips_configuration_reaches_the_build_as_a_private_file(tmp_path: Path) -> None:
    docker = FakeDocker()
    pip = PipSettings(
        index_url="https://u:pw@host/simple",
        extra_index_urls=("https://two/simple", f"file://{tmp_path}"),
        find_links=(str(tmp_path),),
        trusted_hosts=("host", "two"),
        proxy="http://proxy:3128",
    )
    docker.provider(tmp_path, pip=lambda: pip).provide()
    assert docker.secrets["pip"] == (
        "[global]\nindex-url = https://u:pw@host/simple\nextra-index-url = https://two/simple\n"
        "trusted-host = host two\nproxy = http://proxy:3128\n",
        0o600,
    )
    assert "pw@host" not in str((docker.runner.lines, docker.contexts, docker.bakes))


@pytest.mark.parametrize("local", ["file:///srv/simple/", "/srv/simple/", "file:///absent"])
def test_a_local_index_does_not_exist_in_the_build(tmp_path: Path, local: str) -> None:
    docker = FakeDocker()
    docker.provider(tmp_path, pip=lambda: PipSettings(index_url=local)).provide()
    assert docker.secrets["pip"][0] == "[global]\n"


def test_certificates_are_a_secret_and_proxies_are_named(tmp_path: Path) -> None:
    docker = FakeDocker()
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificate")
    environ = {"https_proxy": "http://u:pw@proxy", "NO_PROXY": "", "OTHER": "x"}
    docker.provider(tmp_path, host=make_host(ca_bundle=bundle, environ=environ)).provide()
    assert docker.secrets["ca"][0] == "certificate"
    bakes = [line for line in docker.runner.lines if line.startswith("docker buildx bake")]
    assert ["--set=*.args.https_proxy" in line.replace("'", "") for line in bakes] == [True, True]
    assert "pw@proxy" not in str((docker.runner.lines, docker.contexts, docker.bakes))
    assert not [line for line in docker.runner.lines if "args.NO_PROXY" in line or "args.OTHER" in line]


def test_what_nothing_here_can_run_is_refused_before_it_is_built(tmp_path: Path) -> None:
    docker = FakeDocker()
    with pytest.raises(EnvironmentProblem, match="this machine is x86_64 and its kernel has no emulator") as caught:
        docker.provider(tmp_path, host=make_host()).provide(*ARCHITECTURES)
    assert "--register-emulators" in caught.value.hint
    assert docker.bakes == []


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": {"graviton": HostConfig(docker="ssh://graviton", arch=("aarch64",))}},
        {"builder": BuilderConfig(name="farm")},
        {"options": BuildOptions(builder="farm")},
    ],
)
def test_another_machine_may_run_what_this_one_cannot(tmp_path: Path, changes: dict[str, Any]) -> None:
    docker = FakeDocker()
    assert docker.provider(tmp_path, host=make_host(), **changes).provide("aarch64")[0].origin is Origin.BUILT


def test_podman_reaches_no_other_machine(tmp_path: Path) -> None:
    docker = FakeDocker()
    runner = FakeRunner(FakeStore().script("podman"))
    hosts = {"graviton": HostConfig(docker="ssh://graviton", arch=("aarch64",))}
    engine = make_engine(runner, name=EngineName.PODMAN)
    with pytest.raises(EnvironmentProblem, match="no emulator for aarch64"):
        docker.provider(tmp_path, engine=engine, host=make_host(), hosts=hosts).provide("aarch64")
    assert not [line for line in runner.lines if "buildx" in line or "podman build" in line]


def test_podman_builds_without_any_builder(tmp_path: Path) -> None:
    store = FakeStore()

    def build(call: Call) -> Answer:
        for word in call.argv:
            if word.startswith("--iidfile="):
                Path(word.removeprefix("--iidfile=")).write_text(IMAGE_ID)
            if word.startswith("--tag="):
                store.images[word.removeprefix("--tag=")] = dict(_LABELS)
        return Answer()

    runner = FakeRunner({**store.script("podman"), "podman build": build, "podman run": Answer("gcc 14\n")})
    docker = FakeDocker()
    provider = docker.provider(tmp_path, engine=make_engine(runner, name=EngineName.PODMAN))
    assert provider.provide()[0].origin is Origin.BUILT
    assert not [line for line in runner.lines if not line.startswith("podman ")]


def test_a_bootstrap_base_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    docker = FakeDocker(*(base_reference(BOOTSTRAP, base) for base in BOOTSTRAP.bases))
    provider = docker.provider(tmp_path)
    images = provider.provider.provide(BOOTSTRAP, ARCHITECTURES)
    assert [image.origin for image in images] == [Origin.BUILT] * 2
    assert provider.said == [f"building the image bootstrap:{render_recipe(BOOTSTRAP).tag} for x86_64, aarch64"]
    args = docker.bakes[0]["target"]["report"]["args"]
    assert args == {"BASE_DIGEST_AMD64": IMAGE_ID, "BASE_DIGEST_ARM64": IMAGE_ID}


def test_a_disk_without_room_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = FakeDocker()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 << 30))
    with pytest.raises(EnvironmentProblem, match=f"less than 3 GiB are free at {tmp_path}/cache/tmp") as caught:
        docker.provider(tmp_path).provide()
    assert "[tool.wheelkiln.cache] dir" in caught.value.hint
    assert docker.bakes == []


def test_a_cache_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(EnvironmentProblem, match="not a directory on the way to") as caught:
        FakeDocker().provider(tmp_path).provide()
    assert "[tool.wheelkiln.cache] dir" in caught.value.hint


def test_a_configured_cache_is_written_only_when_something_is_built(tmp_path: Path) -> None:
    docker = FakeDocker(name_of(PYPA))
    provider = docker.provider(tmp_path, options=BuildOptions(cache_to=("type=gha",)))
    assert provider.provide()[0].origin is Origin.PRESENT
    assert docker.bakes == []


def test_an_image_whose_compiler_lacks_a_required_feature_is_refused(tmp_path: Path) -> None:
    provider = FakeDocker(name_of(PYPA)).provider(tmp_path).provider
    with pytest.raises(EnvironmentProblem, match=r"gcc 14\.2\.1 does not accept amx-bf16, which needs gcc >= 11"):
        provider.provide(replace(PYPA, requires=("amx-bf16", "avx512bf16", "sve2")), ["x86_64"])
