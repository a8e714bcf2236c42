from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.unit.image.values import BOOTSTRAP, CUSTOM, PYPA
from tests.values import make_interpreter
from wheelkiln.image.recipe import base_reference, render_recipe, write_context
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec

_DATA = Path(__file__).parents[3] / "manylinux"
_FAMILIES = {
    "rpm": PYPA,
    "apk": replace(PYPA, name="musllinux_1_2", family="apk", policy="musllinux_1_2"),
    "deb": BOOTSTRAP,
    "unknown": CUSTOM,
}
_CHANGES: dict[str, object] = {
    "name": "custom",
    "family": "",
    "bases": (PYPA.bases[0], replace(PYPA.bases[1], digest="sha256:" + "4" * 64)),
    "policy": "manylinux_2_34",
    "deb": ("libnuma-dev",),
    "rpm": ("numactl-devel",),
    "apk": ("numactl-dev",),
    "toolchain": "clang",
    "linker": "mold",
    "ccache": "distribution",
    "sccache": True,
    "download_mirror": "https://mirror.example",
    "labels": (("org.example.team", "wheels"),),
    "bootstrap": Bootstrap("debian", "bookworm"),
}


def _dockerfile(spec: ImageSpec) -> str:
    return render_recipe(spec).files["Dockerfile"]


def _labels(spec: ImageSpec) -> dict[str, str]:
    """The recipe's own labels, as a builder reads them (docs.docker.com: Dockerfile reference, LABEL)."""
    pairs = re.findall(r'^    ([\w./-]+)=("(?:\\.|[^"\\])*") ?\\?$', _dockerfile(spec), re.MULTILINE)
    return {name: re.sub(r'\\([\\"$])', r"\1", value[1:-1]) for name, value in pairs}


def test_the_same_spec_has_the_same_tag() -> None:
    recipe = render_recipe(PYPA)
    assert recipe == render_recipe(replace(PYPA))
    assert re.fullmatch(r"[0-9a-f]{16}", recipe.tag)
    assert recipe.digest.startswith(recipe.tag)


def test_every_architecture_has_a_name_of_its_own_and_all_have_one_tag() -> None:
    recipe = render_recipe(PYPA)
    assert recipe.references == {
        f"manylinux_2_28_{arch}": f"localhost/wheelkiln/manylinux_2_28_{arch}:{recipe.tag}"
        for arch in ("x86_64", "aarch64")
    }
    assert recipe.pushed_reference("ghcr.io/acme/kiln") == f"ghcr.io/acme/kiln/manylinux_2_28:{recipe.tag}"


@pytest.mark.parametrize("name", [field.name for field in fields(ImageSpec) if field.name != "requires"])
def test_every_field_of_the_spec_changes_the_tag(name: str) -> None:
    changed = replace(PYPA, **{name: _CHANGES[name]})  # type: ignore[arg-type]
    assert render_recipe(changed).tag != render_recipe(PYPA).tag


@pytest.mark.parametrize(
    "name",
    sorted(path.relative_to(_DATA).as_posix() for path in _DATA.rglob("*.*") if "__pycache__" not in path.parts),
)
def test_every_shipped_file_changes_the_tag(tmp_path: Path, name: str) -> None:
    shutil.copytree(_DATA, tmp_path / "data")
    with (tmp_path / "data" / name).open("a") as file:
        file.write("# changed\n")
    is_source = name.endswith((".in", "pins.toml"))  # what requirements are made from, and a comment in the pins
    assert (render_recipe(PYPA, tmp_path / "data").tag == render_recipe(PYPA).tag) is is_source


@pytest.mark.parametrize(
    "bootstrap",
    [
        Bootstrap("debian", "trixie"),
        Bootstrap("ubuntu", "bookworm"),
        Bootstrap("debian", "bookworm", "https://mirror.example/debian"),
        Bootstrap("debian", "bookworm", "", ("libnuma-dev",)),
    ],
)
def test_every_field_of_a_bootstrap_base_changes_the_tag(bootstrap: Bootstrap) -> None:
    assert render_recipe(replace(BOOTSTRAP, bootstrap=bootstrap)).tag != render_recipe(BOOTSTRAP).tag


@pytest.mark.parametrize(
    "base",
    [
        Base("x86_64", interpreters=(make_interpreter(version="3.12.2"),), own_python="cp311"),
        Base("x86_64", interpreters=(make_interpreter(prefix="/elsewhere"),), own_python="cp311"),
        Base("x86_64", interpreters=(make_interpreter(),)),
        Base("x86_64", own_python="cp311"),
    ],
)
def test_the_interpreters_of_a_bootstrap_base_change_the_tag(base: Base) -> None:
    changed = replace(BOOTSTRAP, bases=(base, BOOTSTRAP.bases[1]))
    assert render_recipe(changed).tag != render_recipe(BOOTSTRAP).tag
    assert base_reference(changed, base) != base_reference(BOOTSTRAP, BOOTSTRAP.bases[0])


def test_packages_of_ones_own_do_not_make_another_base() -> None:
    changed = replace(BOOTSTRAP, deb=("libnuma-dev",))
    assert base_reference(changed, changed.bases[0]) == base_reference(BOOTSTRAP, BOOTSTRAP.bases[0])


def test_a_moving_base_that_was_looked_up_changes_the_tag() -> None:
    pinned = [replace(base, digest="sha256:" + "5" * 64) for base in CUSTOM.bases]
    local = [replace(base, is_local=True) for base in pinned]
    specs = [CUSTOM, replace(CUSTOM, bases=tuple(pinned)), replace(CUSTOM, bases=tuple(local))]
    assert len({render_recipe(spec).tag for spec in specs}) == 3


@pytest.mark.parametrize("name", sorted(render_recipe(PYPA).files))
def test_no_file_is_in_the_context_for_nothing(name: str) -> None:
    """What the tag is made from is what the Dockerfile mounts, and the few files that builders read themselves."""
    text = _dockerfile(PYPA)
    read_by_builders = {"Dockerfile", ".dockerignore", "docker-bake.json"}
    directory = name.partition("/")[0]
    assert name in read_by_builders or name in text or f"source={directory},target" in text or f" {directory} " in text


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_every_file_that_the_dockerfile_names_is_in_the_context(spec: ImageSpec) -> None:
    files = set(render_recipe(spec).files)
    text = _dockerfile(spec)
    mounted = set(re.findall(r"type=bind,source=([^,\s]+)", text))
    copied = set(re.findall(r"^COPY (?!--from)(?:--\S+ )*(\S+)", text, re.MULTILINE))
    assert {"scripts/finish.sh", "requirements", "features", "pins.env"} <= mounted
    assert copied == {"scripts/repair.py", "scripts/make.sh", "scripts/environment.py", "links", "recipe.json"}
    directories = {name.rpartition("/")[0] for name in files} | {name.partition("/")[0] for name in files}
    assert mounted | copied <= files | directories


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_every_script_that_is_called_is_mounted_in_the_step_that_calls_it(spec: ImageSpec) -> None:
    recipe = render_recipe(spec)
    steps = [step for step in re.split(r"^(?=[A-Z]+ )", _dockerfile(spec), flags=re.MULTILINE) if "/mnt/" in step]
    assert steps
    for step in steps:
        targets = re.findall(r"target=(/mnt/wheelkiln/[^,\s]+)", step)
        called = set(re.findall(r"bash (/mnt/wheelkiln/\S+)", step))
        for script in tuple(called):
            called |= set(re.findall(r"/mnt/wheelkiln/[\w.-]+", recipe.files[f"scripts/{script.rpartition('/')[2]}"]))
        assert called
        assert {path for path in called if not any(path.startswith(target) for target in targets)} == set()


def test_the_dockerignore_lets_in_all_that_the_dockerfile_needs() -> None:
    recipe = render_recipe(PYPA)
    patterns = [line for line in recipe.files[".dockerignore"].splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*"

    def ignored(path: str) -> bool:
        """The last pattern that matches a path or a directory above it decides (docs.docker.com: .dockerignore)."""
        above = ["/".join(path.split("/")[: index + 1]) for index in range(path.count("/") + 1)]
        verdicts = [
            not pattern.startswith("!")
            for pattern in patterns
            if any(fnmatch.fnmatchcase(part, pattern.removeprefix("!")) for part in above)
        ]
        return verdicts[-1] if verdicts else False

    assert ignored("secret.pem")
    # builders read these three by themselves, whatever is ignored (docs.docker.com: build context)
    own = {".dockerignore", "Dockerfile", "docker-bake.json"}
    assert {name for name in recipe.files if ignored(name)} <= own


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_nothing_of_the_template_is_left(spec: ImageSpec) -> None:
    assert not re.search(r"<<|>>|<%|%>|<#|#>", _dockerfile(spec))
    assert not re.search(r"\\\n\s*\n|\\\n[A-Z]+ ", _dockerfile(spec))  # a line that goes on does


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_each_stage_that_is_named_is_made_before(spec: ImageSpec) -> None:
    made: set[str] = set()
    architectures = ("amd64", "arm64")
    for line in _dockerfile(spec).splitlines():
        named = re.findall(r"^FROM (\S+)|--from=(\S+)", line)
        for stage in (first or second for first, second in named):
            wanted = [stage.replace("${TARGETARCH}", arch) for arch in architectures]
            outside = {"scratch", *(base["image"] for base in _images(spec))}
            assert set(wanted) <= made | outside, stage
        made |= set(re.findall(r"^FROM \S+ AS (\S+)$", line))
    assert {"base-amd64", "base-arm64", "report", "image-amd64", "image-arm64", "image"} <= made


def _images(spec: ImageSpec) -> list[dict[str, str]]:
    return [{"image": base_reference(spec, base) if spec.bootstrap else base.reference} for base in spec.bases]


def test_caches_are_mounted_for_the_package_manager_of_the_family() -> None:
    mounts = {
        family: set(re.findall(r"target=/var/(?:cache|lib)/(apt|dnf|apk)", _dockerfile(spec)))
        for family, spec in _FAMILIES.items()
    }
    assert mounts == {"rpm": {"dnf"}, "apk": {"apk"}, "deb": {"apt"}, "unknown": {"apt", "dnf", "apk"}}


def test_packages_are_given_by_format() -> None:
    text = _dockerfile(replace(CUSTOM, deb=("a",), rpm=("b", "c")))
    assert "bash /mnt/wheelkiln/packages.sh --deb a --rpm b c\n" in text
    assert "packages.sh --" not in _dockerfile(CUSTOM)


def test_the_scripts_get_what_the_spec_asks_for() -> None:
    spec = replace(PYPA, toolchain="clang", linker="mold", ccache="static")
    text = _dockerfile(replace(spec, sccache=True))
    for line in (
        "bash /mnt/wheelkiln/ccache.sh static\n",
        "bash /mnt/wheelkiln/toolchain.sh clang mold\n",
        "bash /mnt/wheelkiln/finish.sh clang\n",
        "bash /mnt/wheelkiln/tools.sh --sccache\n",
        "    CC=clang \\\n    CXX=clang++ \\\n    LDFLAGS=-fuse-ld=mold \\\n    LANG=C.UTF-8\n",
    ):
        assert line in text
    assert not re.search(r"^ +(CC|CXX|LDFLAGS)=", _dockerfile(PYPA), re.MULTILINE)


def test_the_pins_are_shell_assignments() -> None:
    lines = render_recipe(PYPA).files["pins.env"].splitlines()
    url, digests = lines[0], lines[1:]
    assert url.startswith(("CCACHE_URL=https://github.com/", "CCACHE_URL='https://github.com/"))
    assert "@ARCH@" in url
    assert [bool(re.fullmatch(r"CCACHE_SHA256_(AARCH64|X86_64)=[0-9a-f]{64}", line)) for line in digests] == [True] * 2


def test_a_mirror_stands_for_github() -> None:
    line = render_recipe(replace(PYPA, download_mirror="https://mirror.example/gh/")).files["pins.env"].splitlines()[0]
    assert shlex.split(line)[0].startswith("CCACHE_URL=https://mirror.example/gh/ccache/ccache/releases/")


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_each_base_is_named_with_its_digest(spec: ImageSpec) -> None:
    text = _dockerfile(spec)
    for base, oci in zip(spec.bases, ("amd64", "arm64"), strict=True):
        reference = base_reference(spec, base) if spec.bootstrap else base.reference
        assert f"\nFROM {reference} AS base-{oci}\n" in text
        assert f"\nARG BASE_DIGEST_{oci.upper()}={base.digest}\n" in text
        assert f'org.opencontainers.image.base.name="{reference.partition("@")[0]}"' in text


def test_a_moving_base_is_taken_at_the_digest_that_was_looked_up() -> None:
    pinned = replace(CUSTOM, bases=tuple(replace(base, digest="sha256:" + "5" * 64) for base in CUSTOM.bases))
    assert f"\nFROM registry.example/own_x86_64:1@sha256:{'5' * 64} AS base-amd64\n" in _dockerfile(pinned)
    local = replace(pinned, bases=tuple(replace(base, is_local=True) for base in pinned.bases))
    assert "\nFROM registry.example/own_x86_64:1 AS base-amd64\n" in _dockerfile(local)
    assert f"\nARG BASE_DIGEST_AMD64=sha256:{'5' * 64}\n" in _dockerfile(local)


def test_the_recipes_digest_and_its_inputs_are_labels() -> None:
    recipe = render_recipe(PYPA)
    labels = _labels(PYPA)
    assert labels["io.wheelkiln.recipe"] == recipe.digest
    assert labels["io.wheelkiln.inputs"] == recipe.inputs
    assert json.loads(recipe.inputs)["policy"] == "manylinux_2_28"
    assert "latest" not in json.dumps(labels)


def test_other_labels_are_other_inputs() -> None:
    inputs = [render_recipe(replace(PYPA, labels=((name, "x"),))).inputs for name in ("org.example.a", "org.example.b")]
    assert inputs[0] != inputs[1]


def test_labels_of_ones_own_displace_those_that_are_given() -> None:
    spec = replace(PYPA, labels=(("org.example.team", "wheels"), ("org.opencontainers.image.title", "ours")))
    labels = _labels(spec)
    assert (labels["org.example.team"], labels["org.opencontainers.image.title"]) == ("wheels", "ours")


@pytest.mark.parametrize("value", ['say "hi"', "a\\b", "5 $ and ${HOME}", "größer"])
def test_a_label_reaches_the_image_as_it_is_written(value: str) -> None:
    spec = replace(PYPA, labels=(("org.example.note", value),))
    assert _labels(spec)["org.example.note"] == value
    assert not re.search(r"(?<!\\)\$\{HOME", _dockerfile(spec))


def test_a_label_of_several_lines_does_not_break_the_dockerfile() -> None:
    spec = replace(PYPA, labels=(("org.example.note", 'one\nRUN two"'),))
    assert _labels(spec)["org.example.note"] == 'one RUN two"'


def test_the_bake_file_builds_all_platforms_by_itself() -> None:
    recipe = render_recipe(PYPA)
    bake = json.loads(recipe.files["docker-bake.json"])
    assert bake["group"]["default"]["targets"] == ["image"]
    assert bake["target"]["image"] == {
        "context": ".",
        "dockerfile": "Dockerfile",
        "target": "image",
        "platforms": ["linux/amd64", "linux/arm64"],
        "tags": [f"localhost/wheelkiln/manylinux_2_28:{recipe.tag}"],
    }


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_nothing_is_called_latest(spec: ImageSpec) -> None:
    recipe = render_recipe(spec)
    named = [*recipe.references.values(), recipe.pushed_reference("h/r"), recipe.files["docker-bake.json"]]
    assert not [name for name in named if "latest" in name]
    assert not re.search(r":latest\b", _dockerfile(spec))


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_no_path_of_this_machine_is_in_the_context(spec: ImageSpec) -> None:
    text = "\n".join(render_recipe(spec).files.values())
    assert str(Path(__file__).parents[3]) not in text
    assert "/home/dev" not in text  # where the interpreter of the bootstrap base is found


def test_what_the_compiler_must_accept_makes_no_other_image() -> None:
    assert render_recipe(replace(PYPA, requires=("avx512bf16",))) == render_recipe(PYPA)


@pytest.mark.parametrize("spec", _FAMILIES.values(), ids=_FAMILIES)
def test_the_context_is_small(spec: ImageSpec) -> None:
    assert sum(len(text.encode()) for text in render_recipe(spec).files.values()) < 104 * 1024


def test_a_context_is_written_below_its_directory(tmp_path: Path) -> None:
    recipe = render_recipe(PYPA)
    write_context(recipe, tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text(encoding="utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert written == dict(recipe.files)


def test_a_step_names_the_digest_of_the_files_that_it_mounts() -> None:
    steps = [
        re.findall(r"INPUTS=([0-9a-f]{12}) bash /mnt/wheelkiln/(\S+)", _dockerfile(spec)) for spec in (PYPA, _MIRRORED)
    ]
    assert len(steps[0]) == _dockerfile(PYPA).count(" bash /mnt/wheelkiln/")
    changed = {script for (before, script), (after, _) in zip(*steps, strict=True) if before != after}
    assert changed == {"ccache.sh"}  # whose address is in a file


_MIRRORED = replace(PYPA, download_mirror="https://mirror.example")
