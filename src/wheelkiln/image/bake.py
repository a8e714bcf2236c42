"""What BuildKit is told besides the recipe: pure, written as a second bake file that is laid over the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wheelkiln.image.recipe import TARGET, Recipe
from wheelkiln.image.registry import part_reference
from wheelkiln.plan.model import Base, ImageSpec
from wheelkiln.system.engine import join_fields

__all__ = ["BakeInputs", "BuildOptions", "Provenance", "make_final_bake", "make_report_bake", "render_labels"]

REPORT_TARGET = "report"
_NO_ATTESTATIONS = ["type=provenance,disabled=true"]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an image is to be built, and where it is to go.

    cache_from and cache_to are BuildKit's own notation; export_cache writes the latter even where nothing is absent.
    repository is where push goes, and where pull looks.
    """

    repository: str = ""
    push: bool = False
    load: bool = True
    no_cache: bool = False
    pull_base: bool = False
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    export_cache: bool = False
    builder: str = ""
    attestations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a recipe comes from: the repository and revision of the project, and SOURCE_DATE_EPOCH if that is set."""

    source: str = ""
    revision: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class BakeInputs:
    """What both solves of an image build share.

    secrets are files that RUN steps see; build_args the names of variables that are read from the environment;
    base_digests, by architecture, what local bases are; contexts stand for images that the builder cannot see.
    """

    spec: ImageSpec
    recipe: Recipe
    architectures: tuple[str, ...]
    options: BuildOptions = field(default_factory=BuildOptions)
    provenance: Provenance = field(default_factory=Provenance)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    build_args: tuple[str, ...] = ()
    base_digests: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)


def make_report_bake(inputs: BakeInputs, directory: Path) -> dict[str, Any]:
    """Build everything for every architecture, and bring out what the checks found, below directory."""
    target = {
        **_shared(inputs),
        "inherits": [TARGET],
        "target": "report",
        "tags": [],
        "platforms": _platforms(inputs),
        "output": [join_fields("type=local", f"dest={directory}")],
        "attest": _NO_ATTESTATIONS,
        "no-cache": inputs.options.no_cache,
        "pull": inputs.options.pull_base,
    }
    return _file({REPORT_TARGET: target})


def make_final_bake(inputs: BakeInputs, reports: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Make the images from what the first solve left in the builder's cache, with the reports as their labels.

    Each architecture is loaded under a name of its own, which any image store can hold. All of them together are
    what is pushed and what the cache is exported of: separate exports to one place would displace each other.
    """
    shared = _shared(inputs)
    shared["labels"] = render_labels(inputs.provenance)
    shared["args"] = {**shared["args"], **_report_args(inputs, reports)}
    targets: dict[str, Any] = {}
    if inputs.options.load:
        for base in _bases(inputs):
            targets[f"{TARGET}-{base.arch}"] = {
                **shared,
                "inherits": [TARGET],
                "platforms": [base.platform],
                "tags": [inputs.recipe.references[inputs.spec.name_for(base.arch)]],
                "output": ["type=docker"],
                "attest": _NO_ATTESTATIONS,
            }
    if inputs.options.push or inputs.options.cache_to:
        targets[TARGET] = {
            **shared,
            "platforms": _platforms(inputs),
            "tags": [pushed_name(inputs)] if inputs.options.push else [],
            "output": ["type=image,push=true"] if inputs.options.push else ["type=cacheonly"],
            "attest": _attestations(inputs.options) if inputs.options.push else _NO_ATTESTATIONS,
            "cache-to": list(inputs.options.cache_to),
        }
    return _file(targets)


def missing_architectures(inputs: BakeInputs) -> tuple[str, ...]:
    """The architectures of the recipe that this build leaves out."""
    return tuple(arch for arch in inputs.spec.architectures if arch not in inputs.architectures)


def pushed_name(inputs: BakeInputs) -> str:
    """What a push writes: the manifest list of all, or one architecture's image, which is then joined to the list."""
    reference = inputs.recipe.pushed_reference(inputs.options.repository)
    return part_reference(reference, inputs.architectures[0]) if missing_architectures(inputs) else reference


def render_labels(provenance: Provenance) -> dict[str, str]:
    """The labels of a build's time and place (OCI image spec: annotations); a time only from SOURCE_DATE_EPOCH."""
    created = (
        datetime.fromtimestamp(provenance.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if provenance.epoch is not None
        else ""
    )
    labels = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.revision": provenance.revision,
        "org.opencontainers.image.source": provenance.source,
    }
    return {name: value for name, value in labels.items() if value}


def report_args(base: Base, report: Mapping[str, str]) -> dict[str, str]:
    """The build arguments that carry one architecture's report into labels."""
    oci = base.platform.partition("/")[2].upper()
    return {f"TOOLCHAIN_{oci}": report.get("toolchain", ""), f"VERSIONS_{oci}": report.get("versions", "")}


def digest_args(base: Base, digest: str) -> dict[str, str]:
    """The build argument that carries a local base's digest into its label."""
    return {f"BASE_DIGEST_{base.platform.partition('/')[2].upper()}": digest} if digest else {}


def _report_args(inputs: BakeInputs, reports: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        name: value for base in _bases(inputs) for name, value in report_args(base, reports.get(base.arch, {})).items()
    }


def _shared(inputs: BakeInputs) -> dict[str, Any]:
    args: dict[str, str] = {}
    for base in _bases(inputs):
        args |= digest_args(base, inputs.base_digests.get(base.arch, ""))
    if inputs.provenance.epoch is not None:
        args["SOURCE_DATE_EPOCH"] = str(inputs.provenance.epoch)
    return {
        "args": args,
        "secret": [join_fields(f"id={name}", f"src={path}") for name, path in sorted(inputs.secrets.items())],
        "contexts": dict(inputs.contexts),
        "cache-from": list(inputs.options.cache_from),
    }


def _attestations(options: BuildOptions) -> list[str]:
    """Provenance without mode=max, which would record build arguments: a proxy's may hold a password."""
    wanted = [f"type={name}" for name in options.attestations]
    return wanted if "provenance" in options.attestations else [*wanted, *_NO_ATTESTATIONS]


def _bases(inputs: BakeInputs) -> Sequence[Base]:
    return [inputs.spec.base_for(arch) for arch in inputs.architectures]


def _platforms(inputs: BakeInputs) -> list[str]:
    return [base.platform for base in _bases(inputs)]


def _file(targets: Mapping[str, Any]) -> dict[str, Any]:
    return {"group": {"default": {"targets": list(targets)}}, "target": dict(targets)}
