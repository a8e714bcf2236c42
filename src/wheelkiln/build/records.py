"""Making a wheel's record: what a job was built from, without what differs between builds of the same inputs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wheelkiln import __version__
from wheelkiln.build.cibuildwheel_config import Invocation, render_cibuildwheel_config
from wheelkiln.build.members import add_members
from wheelkiln.build.request import BuildRequest, Rebuild, environment_of, let_through
from wheelkiln.build.sbom import SBOM_MEMBER
from wheelkiln.build.variant_label import label_text, labelled_name
from wheelkiln.build.wheel_contents import describe_wheel
from wheelkiln.errors import VerificationError
from wheelkiln.image.content import ImageContent, read_content
from wheelkiln.plan.model import Job
from wheelkiln.system.emulation import emulator_of
from wheelkiln.system.image_store import ImageStore
from wheelkiln.system.process import mask_secrets
from wheelkiln.verify.record import (
    RECORD_FORMAT,
    RECORD_MEMBER,
    BuildMachine,
    BuildSettings,
    Record,
    RecordedEdition,
    RecordedImage,
    RecordedPin,
    parse_record,
    write_record_text,
)
from wheelkiln.verify.variant_label import VARIANT_MEMBER

__all__ = ["OWN_MEMBERS", "check_of", "complete_wheel", "content_of", "make_record"]

OWN_MEMBERS = (VARIANT_MEMBER, RECORD_MEMBER, SBOM_MEMBER)
"""What wheelkiln adds to a finished wheel, in the order in which it does: names in *.dist-info."""
_MAY_BE_SECRET = re.compile(r"^CIBW_(ENVIRONMENT|BEFORE_)")
_TESTS = re.compile(r"^(test-|before-test|audit-command)|^CIBW_(TEST|BEFORE_TEST|AUDIT)")
_MACHINES_OWN = ("container-engine", "build-frontend", "build", "skip", "archs", "enable", "build-verbosity")
_OF_CACHES = ("CCACHE_", "SCCACHE_", "UV_", "RUSTC_WRAPPER", "WHEELKILN_")
_OF_NETWORK = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
_NO_SETTINGS = ("CIBW_CACHE_PATH", "CIBW_BUILD_VERBOSITY", "CIBW_DEBUG_TRACEBACK", "CIBW_DEBUG_KEEP_CONTAINER")


def complete_wheel(request: BuildRequest, job: Job, wheel: Path) -> Path:
    """Give a wheel its record, its SBOM and its variant label: all members that are not of the project's own making."""
    label = request.rebuild.label if request.rebuild else job.label
    name = labelled_name(wheel.name, label)
    members = _members_again(request.rebuild, wheel, name) if request.rebuild else _members(request, job, wheel, name)
    if not members:
        return wheel
    place = wheel.parent / "complete"
    place.mkdir()
    return add_members(wheel, place / name, members)


def _members(request: BuildRequest, job: Job, wheel: Path, name: str) -> dict[str, str]:
    config, members = request.config, {}
    record = make_record(request, job) if config.record or config.sbom else None
    if job.label:
        members[VARIANT_MEMBER] = label_text(request.variant, config)
    if record and config.record:
        members[RECORD_MEMBER] = write_record_text(record)
    if record and config.sbom:
        members[SBOM_MEMBER] = describe_wheel(wheel, name, record)
    return members


def _members_again(rebuild: Rebuild, wheel: Path, name: str) -> dict[str, str]:
    """Take the members that the first wheel had, but make an SBOM anew: it tells what this wheel ships.

    Without a record to make it from there is none, and the comparison shows that.
    """
    members = dict(rebuild.members)
    if members.pop(SBOM_MEMBER, None) is not None and RECORD_MEMBER in members:
        with suppress(VerificationError):
            record = parse_record(members[RECORD_MEMBER], where=name)
            members[SBOM_MEMBER] = describe_wheel(wheel, name, record)
    return members


def make_record(request: BuildRequest, job: Job) -> Record | None:
    """Describe a job that has been built with this request; None where nobody told where its source came from."""
    source, environment = request.source, request.environments.get(job.id)
    if source.origin is None or environment is None:
        return None
    pins = (RecordedPin(mask_secrets(pin.requirement), pin.hashes) for pin in environment.locked.pins)
    variables = {name: value for name, value in request.variables.items() if _reaches_wheels(name)}
    secret = {name for name, value in variables.items() if _MAY_BE_SECRET.match(name) or mask_secrets(value) != value}
    content = content_of(request, job)
    return Record(
        format=RECORD_FORMAT,
        project=source.facts.name,
        version=source.facts.version,
        variant=job.variant,
        identifier=job.identifier,
        tools={
            "wheelkiln": __version__,
            "cibuildwheel": request.cibuildwheel_version,
            **{name: content.tools[name] for name in ("auditwheel", "patchelf") if name in content.tools},
        },
        source=source.origin,
        epoch=source.epoch,
        edition=RecordedEdition(source.digest, source.changes) if source.changes else None,
        image=_record_image(request, content),
        build=BuildSettings(
            frontend=request.config.frontend.value,
            configuration=_neutral_configuration(request, job),
            environment={name: it for name, it in sorted(environment_of(request, job).items()) if _is_neutral(name)},
            variables={name: value for name, value in sorted(variables.items()) if name not in secret},
            withheld={name: check_of(variables[name]) for name in sorted(secret)},
            passed={name: check_of(value) for name, value in let_through(request).items() if value is not None},
            requirements=tuple(pins),
            shared_flags=request.config.cache.share_between_pythons == "flags",
        ),
        machine=_record_machine(request, job),
    )


def check_of(value: str) -> str:
    """Return 16 bits of a digest: enough to notice a wrong value, too little to find out a secret one."""
    return hashlib.sha256(value.encode()).hexdigest()[:4]


def content_of(request: BuildRequest, job: Job) -> ImageContent:
    """Return what the image of a job holds, read once for each image."""
    reference = request.plan.references[job.image]
    if request.place is not None:
        return read_content(request.engine, reference, request.place.digest, request.cache_root)
    found = ImageStore(request.engine).find(reference)
    return read_content(request.engine, reference, found.id if found else reference, request.cache_root)


def _record_image(request: BuildRequest, content: ImageContent) -> RecordedImage:
    """A plain machine has no recipe, and says itself what its tools are."""
    place = request.place
    own = place is not None and not place.is_image
    tools = dict(line.split(" ", 1) for line in place.versions if " " in line) if own and place else content.tools
    return RecordedImage(
        name=str(content.inputs.get("name", "")),
        recipe=content.recipe,
        inputs=dict(content.inputs),
        content=place.digest if own and place else content.digest,
        toolchain=place.toolchain if own and place else content.toolchain,
        tools=dict(tools),
        programs=dict(content.programs),
        packages=() if own else content.packages,  # those of a machine of somebody are nobody else's business
    )


def _record_machine(request: BuildRequest, job: Job) -> BuildMachine:
    """A job that is not emulated ran on a machine of its own architecture, here or elsewhere."""
    if not request.emulates(job.arch):
        return BuildMachine(job.arch)
    return BuildMachine(request.host.machine, emulator_of(job.arch, request.engine.runner))


def _neutral_configuration(request: BuildRequest, job: Job) -> dict[str, Any]:
    """Return what cibuildwheel was told of the build itself: the [tool.cibuildwheel] table."""
    neutral = Invocation(
        jobs=(job,),
        image=request.plan.image_of(job),
        reference="",
        engine=request.engine.name,
        user_args=(),
        label="",
        mounts=(),
        read_only=(),
        environment={},
        passed=(),
        has_environment=True,
        variant=request.variant,
    )
    rendered = render_cibuildwheel_config(
        neutral, request.config, request.source.facts, request.settings, tests=request.tests
    )
    table = _without_machine(rendered["tool"]["cibuildwheel"])
    if "linux" in table:
        table["linux"] = _without_machine(table["linux"])
    table["overrides"] = [_without_machine(override) for override in table.get("overrides", [])]
    return {name: _masked(value) for name, value in table.items()}


def _without_machine(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in table.items()
        if name not in _MACHINES_OWN and not _TESTS.match(name) and not name.endswith("-image")
    }


def _masked(value: Any) -> Any:
    """Leave the passwords of addresses out of whatever a configuration holds."""
    if isinstance(value, Mapping):
        return {str(name): _masked(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(part) for part in value]
    return mask_secrets(value) if isinstance(value, str) else value


def _is_neutral(name: str) -> bool:
    """Tell whether a variable of the container is the same wherever a wheel is built, cold or warm."""
    return not name.startswith(_OF_CACHES) and name not in _OF_NETWORK


def _reaches_wheels(name: str) -> bool:
    return not _TESTS.match(name) and name not in _NO_SETTINGS
