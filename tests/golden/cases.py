"""Every golden file by its name below files/, and how it is generated.

An image's reference and the recipe's digest change with every script of the image, so they stand as words here;
tests/unit/image/test_recipe.py covers them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.golden.provenance import every_field_of_a_statement, every_field_of_an_sbom
from tests.values import make_facts, make_host, make_inputs, make_interpreter, make_record, make_request
from wheelkiln.build.cibuildwheel_config import render_cibuildwheel_config, write_toml
from wheelkiln.build.request import BuildRequest, make_invocation
from wheelkiln.cli.schema import make_schema
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.features import Toolchain
from wheelkiln.plan.make import PlanInputs, make_plan
from wheelkiln.plan.matrix import make_document
from wheelkiln.plan.model import Selection
from wheelkiln.reproduce.recipe import render_script
from wheelkiln.source.facts import SourceFacts
from wheelkiln.source.origin import OriginKind, SourceOrigin
from wheelkiln.system.pip_settings import PipSettings

__all__ = ["CASES", "FILES", "HOSTILE_ROOT", "PROJECT_SETTINGS", "make_toml", "request_of"]

FILES = Path(__file__).parent / "files"
HOSTILE_ROOT = Path("/srv/a b,c;d 'e' \"f\" $HOME `id` %s {wheel} #x ünï\\n=")
_REFERENCE = "localhost/wheelkiln/{name}:0123456789abcdef"

PROJECT_SETTINGS = """
[build-system]
requires = ["scikit-build-core"]
build-backend = "scikit_build_core.build"

[project]
name = "kern"
version = "1.2"

[tool.cibuildwheel]
build = "cp31*"
skip = "cp310-* *musllinux*"
build-frontend = "pip"
build-verbosity = 1
enable = ["cpython-prerelease"]
manylinux-x86_64-image = "manylinux2014"
before-build = "echo building {project}"
test-command = "pytest {project}/tests"
test-requires = ["pytest"]
environment = { A = "1", B = "$(date)" }
config-settings = { "cmake.define.X" = "ON" }

[tool.cibuildwheel.linux]
before-all = "make deps"
archs = ["auto", "aarch64"]

[tool.cibuildwheel.macos]
archs = ["universal2"]

[[tool.cibuildwheel.overrides]]
select = "cp312-*"
before-build = "echo 3.12"
inherit.config-settings = "append"
config-settings = { "cmake.define.Y" = "ON" }
"""


def request_of(inputs: PlanInputs, root: Path = Path("/var/kiln"), **changes: Any) -> BuildRequest:
    request = make_request(inputs, root=root, **changes)
    references = {name: _REFERENCE.format(name=name) for name in request.plan.references}
    return replace(request, plan=replace(request.plan, references=references))


def make_toml(request: BuildRequest, *, jobs: int = 1) -> str:
    """Write the configuration of the first jobs of a request."""
    invocation = make_invocation(request, request.plan.jobs[:jobs], request.cache_root / "runs/run-1/job", "run-1")
    table = render_cibuildwheel_config(
        invocation, request.config, request.source.facts, request.settings, tests=request.tests
    )
    return write_toml(table)


def _plain() -> str:
    return make_toml(request_of(make_inputs()))


def _every_setting() -> str:
    inputs = make_inputs(
        {
            "policy": "manylinux_2_34",
            "cache": {"max-size": "1.5Gi"},
            "container": {"network": "none"},
            "repair": {
                "exclude": ["libcuda.so.*", "libnvrtc*"],
                "library-dirs": ["kern/my lib", "/opt/lib"],
                "args": ["--strip", "--zip-compression-level=9"],
            },
        },
        facts=make_facts('[project]\nname = "kern"\nversion = "1.2"\n[build-system]\nbuild-backend = "mesonpy"\n'),
        host=make_host(
            ca_bundle=Path("/etc/ssl/certs/ca-certificates.crt"),
            environ={"HTTPS_PROXY": "http://user:secret@proxy:3128", "NO_PROXY": "localhost"},
        ),
    )
    pip = PipSettings(
        index_url="https://user:secret@index.example/simple",
        extra_index_urls=("https://extra.example/simple",),
        trusted_hosts=("index.example",),
    )
    return make_toml(request_of(inputs, pip=pip), jobs=4)


def _project_settings(**changes: Any) -> str:
    inputs = make_inputs(facts=make_facts(PROJECT_SETTINGS), **changes)
    return make_toml(request_of(inputs), jobs=3)


def _root_on_bootstrap() -> str:
    inputs = make_inputs(
        {"image": {"base": "bootstrap"}, "container": {"user": "root", "network": "host"}, "frontend": "pip"}
    )
    return make_toml(request_of(inputs))


def _musllinux() -> str:
    return make_toml(request_of(make_inputs({"libc": ["musllinux"]})), jobs=2)


def _hostile_paths() -> str:
    inputs = make_inputs(host=make_host(ca_bundle=HOSTILE_ROOT / "ca,bundle.pem"))
    return make_toml(request_of(inputs, HOSTILE_ROOT))


def _image_file(name: str, table: dict[str, Any] | None = None) -> str:
    """Render a file of an image, with words for the digests that change with every script."""
    interpreters = (*make_inputs().interpreters, make_interpreter("cp312", "3.12.1", arch="aarch64"))
    (spec,) = make_plan(make_inputs(table, interpreters=interpreters)).images
    recipe = render_recipe(spec)
    text = recipe.files[name].replace(recipe.digest, "RECIPE-DIGEST").replace(recipe.tag, "RECIPE-TAG")
    text = re.sub(r"INPUTS=[0-9a-f]{12} ", "INPUTS=FILES-DIGEST ", text)
    return text.replace(json.loads(recipe.inputs)["scripts"], "SCRIPTS-DIGEST")


def _stable_abi() -> SourceFacts:
    return make_facts(
        '[project]\nname = "kern"\nversion = "1.2"\nrequires-python = ">=3.10"\n'
        '[tool.scikit-build]\nwheel.py-api = "cp311"\n[tool.cibuildwheel]\nskip = "cp313t-*"\n'
    )


def _plan() -> str:
    """Every reason but one: where an emulator is missing, nothing of that architecture is left for another reason."""
    inputs = make_inputs(
        {
            "python": ["cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314t", "cp399"],
            "arch": ["x86_64", "aarch64"],
            "libc": ["manylinux", "musllinux"],
            "image": {"base": "bootstrap", "packages": {"deb": ["libnuma-dev"]}, "requires": ["sve2", "sme"]},
            "policy": "manylinux2014",
        },
        facts=_stable_abi(),
        host=make_host(emulated=frozenset({"aarch64"})),
        selection=Selection(skip=("cp313-*",)),
        estimates={"cp311-manylinux_x86_64": 12.5},
        toolchains={"bootstrap_aarch64": Toolchain("gcc", "12.2.0", frozenset({"sve2"}))},
    )
    plan = make_plan(inputs)
    plan = replace(plan, references={name: _REFERENCE.format(name=name) for name in plan.image_names()})
    return json.dumps(asdict(make_document([plan])), indent=2, default=str) + "\n"


def _schema(what: str) -> str:
    return json.dumps(make_schema(what), indent=2) + "\n"


_PACKAGES = {"deb": ["libnuma-dev", "g++-12"], "rpm": ["numactl-devel"], "apk": ["numactl-dev"]}
_IMAGES: Mapping[str, dict[str, Any]] = {
    "bootstrap": {"image": {"base": "bootstrap", "packages": _PACKAGES, "base-packages": ["patchelf"]}},
    "manylinux_2_28": {"image": {"packages": _PACKAGES}},
    "manylinux_2_31": {"policy": "manylinux_2_31"},
    "musllinux_1_2": {"libc": ["musllinux"], "image": {"packages": _PACKAGES}},
    "custom": {"image": {"base": "ghcr.io/acme/base_{arch}:1.2", "packages": _PACKAGES}},
    "clang-and-all-tools": {
        "image": {
            "toolchain": "clang",
            "linker": "mold",
            "ccache": "distribution",
            "sccache": True,
            "requires": ["avx512bf16", "sve2"],
            "labels": {"org.opencontainers.image.vendor": 'Acmé "Inc." $HOME'},
        }
    },
}


def _script(**changes: Any) -> str:
    """The script for a record with every step in it."""
    record = make_record()
    configuration = {
        "before-all": "touch '/tmp/a b'",
        "environment": {"CFLAGS": "$CFLAGS -O3", "SECOND": "it's $(nproc)"},
        "config-settings": {"build-dir": "/tmp/wheelkiln/build"},
        "overrides": [
            {"select": "*", "before-build": "echo {project}", "repair-wheel-command": "fix {wheel} {dest_dir}"}
        ],
    }
    build = replace(record.build, configuration=configuration, variables={}, shared_flags=True)
    image = replace(record.image, inputs={"bases": {"x86_64": "registry.example/base@sha256:1"}})
    return render_script(replace(record, build=build, image=image, edition=None, **changes), "kern-1.2-cp312.whl")


CASES: Mapping[str, Callable[[], str]] = {
    "cibuildwheel/plain.toml": _plain,
    "cibuildwheel/every-setting.toml": _every_setting,
    "cibuildwheel/project-settings.toml": _project_settings,
    "cibuildwheel/project-settings-without-tests.toml": lambda: _project_settings(tests=False),
    "cibuildwheel/project-settings-ignored.toml": lambda: _project_settings(use_project_settings=False),
    "cibuildwheel/root-on-bootstrap.toml": _root_on_bootstrap,
    "cibuildwheel/musllinux.toml": _musllinux,
    "cibuildwheel/hostile-paths.toml": _hostile_paths,
    **{
        f"image/{name}.Dockerfile": lambda table=table: _image_file("Dockerfile", table)  # type: ignore[misc]
        for name, table in _IMAGES.items()
    },
    "image/docker-bake.json": lambda: _image_file("docker-bake.json"),
    "image/.dockerignore": lambda: _image_file(".dockerignore"),
    "image/pins.env": lambda: _image_file("pins.env"),
    "image/pins-of-a-mirror.env": lambda: _image_file(
        "pins.env", {"image": {"download-mirror": "https://mirror.example/github/"}}
    ),
    "plan/every-reason.json": _plan,
    "provenance/every-field.intoto.json": every_field_of_a_statement,
    "provenance/every-field.cdx.json": every_field_of_an_sbom,
    "schema/config.json": lambda: _schema("config"),
    "schema/plan.json": lambda: _schema("plan"),
    "schema/manifest.json": lambda: _schema("manifest"),
    "schema/record.json": lambda: _schema("record"),
    "recipe/index.sh": _script,
    "recipe/git.sh": lambda: _script(
        source=SourceOrigin(OriginKind.GIT, "kern", "1.2", "d" * 64, url="https://git.example/k.git", commit="ab" * 20)
    ),
}
