"""From what a record says of an image's making to a spec: checked as a configuration is, for it may be anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from wheelkiln.config.load import parse_config
from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError, UsageProblem, VerificationError
from wheelkiln.image.recipe import base_reference
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.verify.record import RecordedImage

__all__ = ["spec_of"]

_USUAL = ("cp310", "cp311", "cp312", "cp313")
_OWN = ("", *(f"cp3{minor}" for minor in range(9, 16)))
_POLICY = re.compile(r"((many|musl)linux_[0-9]+_[0-9]+|manylinux2014)?")
_FAMILIES = ("", "deb", "rpm", "apk")
_DISTRIBUTIONS = ("debian", "ubuntu")
_ARCHITECTURES = ("x86_64", "aarch64")


def spec_of(
    image: RecordedImage, interpreters: Iterable[Interpreter], config: Config, cibuildwheel: CibuildwheelFacts
) -> ImageSpec:
    """Return what the recipe was rendered from; a bootstrap base takes the interpreters of this machine.

    config is this user's: package mirrors are its own, and it can name a base to trust, besides cibuildwheel's. Raise
    VerificationError where the inputs are none, UsageProblem for another base.
    """
    inputs = image.inputs
    try:
        settings = _checked(inputs)
        bases, bootstrap = dict(inputs["bases"]), inputs.get("bootstrap")
        spec = ImageSpec(
            name=image.name,
            family=_one_of(inputs.get("family", ""), _FAMILIES),
            bases=tuple(_pinned(arch, bases[arch]) for arch in _ARCHITECTURES if arch in bases),
            policy=_matching(inputs.get("policy", ""), _POLICY),
            deb=settings.image.packages.deb,
            rpm=settings.image.packages.rpm,
            apk=settings.image.packages.apk,
            toolchain=settings.image.toolchain,
            linker=settings.image.linker,
            ccache=settings.image.ccache,
            sccache=settings.image.sccache,
            download_mirror=config.image.download_mirror,
            bootstrap=_bootstrap(bootstrap, settings, config) if bootstrap else None,
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise VerificationError(f"what the record says of the image's making cannot be used: {error}") from error
    if spec.bootstrap is None:
        _refuse_others(spec, config, cibuildwheel)
        return spec
    known = tuple(interpreters)
    return replace(spec, bases=tuple(_fitting(spec, base, bases[base.arch], known) for base in spec.bases))


def _checked(inputs: Mapping[str, Any]) -> Config:
    """Read names and packages as settings, which end up in a Dockerfile."""
    bootstrap = inputs.get("bootstrap") or {}
    if not isinstance(bootstrap, dict) or not inputs["bases"]:
        raise ValueError("it has no base")
    table = {
        "packages": {name: list(inputs[name]) for name in ("deb", "rpm", "apk") if name in inputs},
        "base-packages": list(bootstrap.get("packages", ())),
        **{name: inputs[name] for name in ("toolchain", "linker", "ccache", "sccache") if name in inputs},
        **({"release": bootstrap["release"]} if bootstrap else {}),
    }
    for reference in dict(inputs["bases"]).values():
        parse_config({"image": {**table, "base": reference}})
    return parse_config({"image": table}).config


def _bootstrap(table: Mapping[str, Any], settings: Config, config: Config) -> Bootstrap:
    distribution = _one_of(table["distribution"], _DISTRIBUTIONS)
    return Bootstrap(distribution, settings.image.release, config.image.mirror, settings.image.base_packages)


def _one_of(value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(filter(None, known))}")
    return str(value)


def _matching(value: object, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(str(value)):
        raise ValueError(f"{value!r} is not valid")
    return str(value)


def _pinned(arch: str, reference: str) -> Base:
    return Base(arch, reference, digest=reference.partition("@")[2])


def _refuse_others(spec: ImageSpec, config: Config, cibuildwheel: CibuildwheelFacts) -> None:
    """Let nothing be built on a base that only the record vouches for: what is in it would run as root."""
    pinned = {name.partition("@")[0] for images in cibuildwheel.images.values() for name in images.values()}
    known = {name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name for name in pinned}
    for base in spec.bases:
        own = config.image.base.replace("{arch}", base.arch).partition("@")[0]
        name = base.reference.partition("@")[0]
        repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
        if name != own and not (repository in known and base.digest):
            raise UsageProblem(
                f"the image was made on {base.reference}, which is neither cibuildwheel's nor this machine's",
                hint="Where you trust it, say so with WHEELKILN_IMAGE_BASE; or name a finished image with --image.",
            )


def _fitting(spec: ImageSpec, base: Base, recorded: str, known: tuple[Interpreter, ...]) -> Base:
    """Choose the interpreters that make the recorded base: its name is a digest of them."""
    own = tuple(found for found in known if found.arch == base.arch)
    usual = tuple(found for found in own if found.tag in _USUAL)
    plain = Base(base.arch)
    candidates = [replace(plain, interpreters=some, own_python=tag) for some in (usual, own, ()) for tag in _OWN]
    return next((it for it in candidates if base_reference(spec, it) == recorded), candidates[0])
