"""Small values of the central types, with what a test cares about replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes import FakeRunner
from wheelkiln.build.request import BuildRequest
from wheelkiln.config.load import parse_config
from wheelkiln.config.model import Config
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.make import PlanInputs, make_plan, settings_of
from wheelkiln.plan.model import Job
from wheelkiln.source.facts import ProjectFiles, SourceFacts, read_facts
from wheelkiln.source.origin import ChangedText, EditionChanges, OriginKind, SourceOrigin
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.verify.record import BuildMachine, BuildSettings, Record, RecordedEdition, RecordedImage, RecordedPin

__all__ = [
    "CIBUILDWHEEL",
    "IMAGE_ID",
    "inspected_image",
    "make_config",
    "make_engine",
    "make_facts",
    "make_host",
    "make_inputs",
    "make_interpreter",
    "make_job",
    "make_record",
    "make_request",
]

IMAGE_ID = "sha256:" + "ab" * 32

_LABELS = {"toolchain": "gcc 14.2.1 x86-64-v3 avx512bf16", "versions": "ccache 4.13.6; gcc 14.2.1"}

_TAGS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t")
CIBUILDWHEEL = CibuildwheelFacts(
    version="4.3.3",
    identifiers=tuple(
        f"{tag}-{libc}_{arch}" for libc in ("manylinux", "musllinux") for arch in ("x86_64", "aarch64") for tag in _TAGS
    ),
    images={
        arch: {
            policy: f"registry.example/pypa/{policy}_{arch}@sha256:{digit * 64}"
            for policy, digit in (
                ("manylinux2014", "1"),
                ("manylinux_2_28", "2"),
                ("manylinux_2_31", "3"),
                ("manylinux_2_34", "4"),
                ("musllinux_1_2", "5"),
            )
        }
        for arch in ("x86_64", "aarch64")
    },
    options=frozenset(
        {
            "archs",
            "before-all",
            "before-build",
            "before-test",
            "build",
            "build-frontend",
            "build-verbosity",
            "config-settings",
            "container-engine",
            "enable",
            "environment",
            "inherit",
            "repair-wheel-command",
            "skip",
            "test-command",
            "test-extras",
            "test-groups",
            "test-requires",
            "test-skip",
            "test-sources",
        }
    ),
    enable_groups=frozenset({"all", "cpython-prerelease", "pypy"}),
)


def make_config(table: Mapping[str, Any] | None = None) -> Config:
    return parse_config(table or {}).config


def make_host(**changes: Any) -> HostFacts:
    host = HostFacts(
        uid=1001,
        gid=1002,
        machine="x86_64",
        cpus=4,
        home=Path("/home/dev"),
        cwd=Path("/srv"),
        cache_dir=Path("/home/dev/.cache/wheelkiln"),
        environ={},
        distribution="debian",
        release="bookworm",
    )
    return replace(host, **changes)


def make_facts(pyproject: str = '[project]\nname = "kern"\nversion = "1.2"\n', **texts: str) -> SourceFacts:
    return read_facts(ProjectFiles(pyproject=pyproject, **texts), where="kern")


def make_interpreter(
    tag: str = "cp312", version: str = "3.12.1", prefix: str = "/home/dev/py", arch: str = "x86_64"
) -> Interpreter:
    return Interpreter(tag, version, Path(prefix) / version, arch)


def make_inputs(table: Mapping[str, Any] | None = None, **changes: Any) -> PlanInputs:
    inputs = PlanInputs(
        config=make_config(table),
        facts=make_facts(),
        host=make_host(),
        cibuildwheel=CIBUILDWHEEL,
        interpreters=(
            make_interpreter("cp310", "3.10.13"),
            make_interpreter("cp311", "3.11.7"),
            make_interpreter("cp312", "3.12.1"),
            make_interpreter("cp313", "3.13.0"),
        ),
    )
    return replace(inputs, **changes)


def make_job(identifier: str = "cp312-manylinux_x86_64", **changes: Any) -> Job:
    libc, arch = identifier.partition("-")[2].split("_", 1)
    job = Job(
        id=identifier,
        identifier=identifier,
        arch=arch,
        image=f"{'manylinux_2_28' if libc == 'manylinux' else 'musllinux_1_2'}_{arch}",
        namespace=f"kern-{arch}-default" if libc == "manylinux" else f"kern-{libc}_{arch}-default",
    )
    return replace(job, **changes)


def make_engine(runner: FakeRunner | None = None, **changes: Any) -> ContainerEngine:
    engine = ContainerEngine(EngineName.DOCKER, "26.1.5", rootless=False, can_build=True, runner=runner or FakeRunner())
    return replace(engine, **changes)


def inspected_image(**labels: str) -> str:
    """What ``docker image inspect`` prints of an image, by default one whose labels tell its tools."""
    told = {f"io.wheelkiln.{name}": value for name, value in (labels or _LABELS).items()}
    return json.dumps([{"Id": IMAGE_ID, "Architecture": "amd64", "Size": 1 << 30, "Config": {"Labels": told}}])


def make_request(
    inputs: PlanInputs | None = None,
    runner: FakeRunner | None = None,
    root: Path = Path("/var/kiln"),
    *,
    pip: PipSettings | None = None,
    **changes: Any,
) -> BuildRequest:
    """Make a request whose plan, settings and image references belong together, with its directories below root."""
    inputs = inputs or make_inputs()
    plan = make_plan(inputs)
    references = {name: found for spec in plan.images for name, found in render_recipe(spec).references.items()}
    plan = replace(plan, references={name: references[name] for name in plan.image_names()})
    request = BuildRequest(
        plan=plan,
        settings=settings_of(inputs),
        source=PreparedSource(
            facts=inputs.facts, sdist=root / "kern-1.2.tar.gz", digest="d" * 64, epoch=1_700_000_000, size=1000
        ),
        config=inputs.config,
        host=inputs.host,
        engine=make_engine(runner),
        read_pip=lambda: pip or PipSettings(),
        output_dir=root / "wheelhouse",
        cache_root=root / "cache",
        cibuildwheel_version=CIBUILDWHEEL.version,
        project=root / "project",
        tests=inputs.tests,
    )
    return replace(request, **changes)


def make_record(**changes: Any) -> Record:
    """Make a record with something in every field."""
    record = Record(
        format=1,
        project="kern",
        version="1.2",
        variant="default",
        identifier="cp312-manylinux_x86_64",
        tools={"wheelkiln": "0.1.0", "cibuildwheel": CIBUILDWHEEL.version},
        source=SourceOrigin(OriginKind.INDEX, "kern", "1.2", "d" * 64, "kern-1.2.tar.gz", "e" * 64),
        epoch=1_700_000_000,
        edition=RecordedEdition("c" * 64, EditionChanges(patches=(ChangedText("fix.patch", "--- a\n+++ b\n"),))),
        image=RecordedImage(
            name="bootstrap",
            recipe="a" * 64,
            inputs={"name": "bootstrap"},
            content="b" * 64,
            toolchain="gcc 14.2.1",
            tools={"ccache": "4.13.6"},
            programs={"wheelkiln-repair": "f" * 64},
            packages=("gcc=14.2.1",),
        ),
        build=BuildSettings(
            frontend="build",
            configuration={"overrides": [{"select": "*", "repair-wheel-command": "true {wheel}"}]},
            environment={"HOME": "/home/builder"},
            variables={"CIBW_CONFIG_SETTINGS": "a=b"},
            withheld={"CIBW_ENVIRONMENT": "0a1b"},
            passed={"TOKEN": "ffff"},
            requirements=(RecordedPin("setuptools==84.2.1", ("sha256:" + "9" * 64,)),),
        ),
        machine=BuildMachine("x86_64"),
    )
    return replace(record, **changes)
