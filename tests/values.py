"""Small values of the central types, with what a test cares about replaced."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
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
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.system.pip_settings import PipSettings

__all__ = [
    "CIBUILDWHEEL",
    "IMAGE_ID",
    "make_config",
    "make_engine",
    "make_facts",
    "make_host",
    "make_inputs",
    "make_interpreter",
    "make_job",
    "make_request",
    "write_sdist",
    "write_wheel",
]

IMAGE_ID = "sha256:" + "ab" * 32

_TAGS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t")
CIBUILDWHEEL = CibuildwheelFacts(
    version="4.3.3",
    identifiers=tuple(
        f"{tag}-{libc}_{arch}" for libc in ("manylinux", "musllinux") for arch in ("x86_64", "aarch64") for tag in _TAGS
    ),
    images={
        arch: {
            policy: f"quay.io/pypa/{policy}_{arch}@sha256:{digit * 64}"
            for policy, digit in (
                ("manylinux2014", "1"),
                ("manylinux_2_28", "2"),
                ("manylinux_2_31", "3"),
                ("manylinux_2_34", "4"),
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
        cwd=Path("/work"),
        cache_dir=Path("/home/dev/.cache/wheelkiln"),
        environ={},
        distribution="debian",
        release="bookworm",
    )
    return replace(host, **changes)


def make_facts(pyproject: str = '[project]\nname = "kern"\nversion = "1.2"\n', **texts: str) -> SourceFacts:
    return read_facts(ProjectFiles(pyproject=pyproject, **texts), where="kern")


def make_interpreter(tag: str = "cp312", version: str = "3.12.1", prefix: str = "/home/dev/py") -> Interpreter:
    return Interpreter(tag, version, Path(prefix) / version)


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
    arch = identifier.partition("linux_")[2]
    job = Job(
        id=identifier,
        identifier=identifier,
        arch=arch,
        image=f"manylinux_2_28_{arch}",
        namespace=f"kern-{arch}-default",
    )
    return replace(job, **changes)


def make_engine(runner: FakeRunner | None = None, **changes: Any) -> ContainerEngine:
    engine = ContainerEngine(EngineName.DOCKER, "26.1.5", rootless=False, can_build=True, runner=runner or FakeRunner())
    return replace(engine, **changes)


def make_request(
    inputs: PlanInputs | None = None, runner: FakeRunner | None = None, root: Path = Path("/var/kiln"), **changes: Any
) -> BuildRequest:
    """Make a request whose plan, settings and image references belong together, with its directories below root."""
    inputs = inputs or make_inputs()
    plan = make_plan(inputs)
    plan = replace(plan, references={spec.name: render_recipe(spec).reference for spec in plan.images})
    request = BuildRequest(
        plan=plan,
        settings=settings_of(inputs),
        source=PreparedSource(
            facts=inputs.facts, sdist=root / "kern-1.2.tar.gz", digest="d" * 64, epoch=1_700_000_000, size=1000
        ),
        config=inputs.config,
        host=inputs.host,
        engine=make_engine(runner),
        pip=PipSettings(),
        output_dir=root / "wheelhouse",
        cache_root=root / "cache",
        cibuildwheel_version=CIBUILDWHEEL.version,
        tests=inputs.tests,
    )
    return replace(request, **changes)


def write_sdist(
    path: Path, files: Mapping[str, str | bytes], *, root: str = "kern-1.2", mtime: float = 1_600_000_000
) -> Path:
    """Write a tar.gz with the files below root; an empty root leaves their names as they are."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{root}/{name}" if root else name)
            info.size, info.mtime, info.mode = len(content), int(mtime), 0o644
            archive.addfile(info, io.BytesIO(content))
    return path


def write_wheel(
    directory: Path,
    name: str = "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    *,
    metadata: str = "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\n",
    tags: tuple[str, ...] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a wheel whose WHEEL file has the tags of its name, unless others are given."""
    parts = name.removesuffix(".whl").split("-")
    distribution, (python, abi, platforms) = "-".join(parts[:2]), parts[-3:]
    inside = tags if tags is not None else tuple(f"{python}-{abi}-{one}" for one in platforms.split("."))
    contents = {
        "kern/__init__.py": b"",
        **(files or {}),
        f"{distribution}.dist-info/METADATA": metadata.encode(),
        f"{distribution}.dist-info/WHEEL": "".join(
            ["Wheel-Version: 1.0\nRoot-Is-Purelib: false\n", *(f"Tag: {tag}\n" for tag in inside)]
        ).encode(),
    }
    record = "".join(f"{member},{_record_hash(content)},{len(content)}\n" for member, content in contents.items())
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
        archive.writestr(f"{distribution}.dist-info/RECORD", record + f"{distribution}.dist-info/RECORD,,\n")
    return directory / name


def _record_hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
