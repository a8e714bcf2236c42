from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import IMAGE_ID, make_engine
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage, ImageBuilder, write_context
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.pip_settings import PipSettings

_SPEC = ImageSpec("manylinux_2_28_x86_64", "x86_64", "registry.example/pypa/x@sha256:" + "2" * 64, "rpm")
_RECIPE = render_recipe(_SPEC)
_TOOLS = "ccache 4.13.6\ncompiler gcc (GCC) 14.2.1\nbroken\n"


@dataclass
class FakeImages:
    """An engine's store of images: inspects answer by what has been built."""

    present: set[str] = field(default_factory=set)
    status: int = 0
    output: str = "#1 done\n"
    contexts: list[dict[str, str]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def script(self) -> dict[str, Script]:
        return {
            "docker image inspect": self.inspect,
            "docker buildx build": self.build,
            "docker run": Answer(_TOOLS),
        }

    def inspect(self, call: Call) -> Answer:
        known = call.argv[-1] in self.present
        return Answer(f"{IMAGE_ID}\n") if known else Answer(returncode=1, stderr="No such image")

    def build(self, call: Call) -> Answer:
        context = Path(call.argv[-1])
        files = [path for path in sorted(context.rglob("*")) if path.is_file()]
        self.contexts.append({path.relative_to(context).as_posix(): path.read_text() for path in files})
        for option in call.argv:
            if option.startswith("--secret=id=pip,src="):
                path = Path(option.removeprefix("--secret=id=pip,src="))
                self.secrets["pip"] = path.read_text()
                self.secrets["mode"] = oct(path.stat().st_mode & 0o777)
        if self.status == 0:
            self.present.add(call.option("--tag"))
        return Answer(self.output, returncode=self.status)


def _builder(tmp_path: Path, images: FakeImages, pip: PipSettings | None = None) -> tuple[ImageBuilder, FakeRunner]:
    runner = FakeRunner(images.script())
    builder = ImageBuilder(
        engine=make_engine(runner),
        cache_dir=tmp_path / "cache",
        pip=pip or PipSettings(),
        proxies=(),
        ca_bundle=Path("/etc/ca.pem"),
        say=lambda _: None,
        log=lambda _: None,
    )
    return builder, runner


def test_an_image_that_is_there_costs_one_inspect_and_one_look_inside(tmp_path: Path) -> None:
    builder, runner = _builder(tmp_path, FakeImages({_RECIPE.reference}))
    tools = (("ccache", "4.13.6"), ("compiler", "gcc (GCC) 14.2.1"))
    assert builder.provide(_SPEC) == BuiltImage(_RECIPE.reference, IMAGE_ID, built=False, tools=tools)
    assert runner.lines == [
        f"docker image inspect --format '{{{{.Id}}}}' {_RECIPE.reference}",
        f"docker run --rm --network=none {_RECIPE.reference} cat /opt/wheelkiln/versions.txt",
    ]
    builder.provide(_SPEC)
    assert len(runner.calls) == 3


def test_an_absent_image_is_built_from_its_recipe(tmp_path: Path) -> None:
    images = FakeImages()
    builder, runner = _builder(tmp_path, images)
    assert builder.provide(_SPEC).built
    assert images.contexts == [dict(_RECIPE.files)]
    build = next(call for call in runner.calls if "build" in call.argv)
    assert build.option("--platform") == "linux/amd64"
    assert "--secret=id=ca,src=/etc/ca.pem" in build.argv


def test_nothing_of_a_build_is_left_in_the_cache_directory(tmp_path: Path) -> None:
    _builder(tmp_path, FakeImages())[0].provide(_SPEC)
    assert list((tmp_path / "cache/tmp").iterdir()) == []


def test_pips_configuration_reaches_the_build_as_a_private_file(tmp_path: Path) -> None:
    images = FakeImages()
    pip = PipSettings(
        index_url="https://u:pw@host/simple",
        extra_index_urls=("https://two/simple", f"file://{tmp_path}"),
        find_links=(str(tmp_path),),
        trusted_hosts=("host", "two"),
        proxy="http://proxy:3128",
    )
    builder, runner = _builder(tmp_path, images, pip)
    builder.provide(_SPEC)
    assert images.secrets == {
        "mode": "0o600",
        "pip": "[global]\nindex-url = https://u:pw@host/simple\nextra-index-url = https://two/simple\n"
        "trusted-host = host two\nproxy = http://proxy:3128\n",
    }
    assert not [line for line in runner.lines if "pw@host" in line]
    assert "pw@host" not in str(images.contexts)


@pytest.mark.parametrize("local", ["file:///srv/simple/", "/srv/simple/", "file:///absent"])
def test_a_local_index_does_not_exist_in_the_build(tmp_path: Path, local: str) -> None:
    images = FakeImages()
    _builder(tmp_path, images, PipSettings(index_url=local))[0].provide(_SPEC)
    assert images.secrets["pip"] == "[global]\n"


def test_a_failed_step_is_shown_without_its_prefixes(tmp_path: Path) -> None:
    output = "#7 0.5 fetching\n------\n > [2/5] RUN x:\n0.512 No match for argument: nosuch\n0.6 Error\n------\nERROR\n"
    builder, _ = _builder(tmp_path, FakeImages(status=1, output=output))
    with pytest.raises(EnvironmentProblem) as caught:
        builder.provide(_SPEC)
    assert caught.value.message.splitlines() == [
        f"the image {_RECIPE.reference} could not be built:",
        "  | No match for argument: nosuch",
        "  | Error",
    ]
    assert "image.packages" in caught.value.hint


def test_a_base_that_cannot_be_fetched_gets_its_own_hint(tmp_path: Path) -> None:
    output = "#2 ERROR: failed to do request: Head registry.example: dial tcp: no route to host\n"
    builder, _ = _builder(tmp_path, FakeImages(status=1, output=output))
    with pytest.raises(EnvironmentProblem) as caught:
        builder.provide(_SPEC)
    assert "--base bootstrap" in caught.value.hint
    assert "no route to host" in caught.value.message


def test_the_end_is_shown_when_a_builder_marks_nothing(tmp_path: Path) -> None:
    output = "".join(f"line {number}\n" for number in range(40))
    builder, _ = _builder(tmp_path, FakeImages(status=1, output=output))
    with pytest.raises(EnvironmentProblem) as caught:
        builder.provide(_SPEC)
    assert caught.value.message.splitlines()[1:] == [f"  | line {number}" for number in range(15, 40)]


def test_an_image_that_does_not_run_is_no_image(tmp_path: Path) -> None:
    builder, runner = _builder(tmp_path, FakeImages({_RECIPE.reference}))
    runner.script = {**runner.script, "docker run": Answer(returncode=1, stderr="exec format error")}
    with pytest.raises(EnvironmentProblem, match=r"cannot run the image .*: exec format error"):
        builder.provide(_SPEC)
    assert not list((tmp_path / "cache").rglob("*.txt"))


def test_a_build_that_leaves_no_image_is_told(tmp_path: Path) -> None:
    images = FakeImages()
    builder, runner = _builder(tmp_path, images)
    runner.script = {**runner.script, "docker buildx build": Answer()}
    with pytest.raises(EnvironmentProblem, match=r"built .* but does not have it"):
        builder.provide(_SPEC)


def test_a_context_is_written_below_its_directory(tmp_path: Path) -> None:
    write_context(_RECIPE, tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert written == dict(_RECIPE.files)
