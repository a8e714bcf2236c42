"""Deciding what images are made of: the bases, and what configuration adds to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError
from wheelkiln.plan.features import check_features
from wheelkiln.plan.model import Base, Bootstrap, ImageSpec
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import Interpreter

__all__ = ["family_of", "make_images", "own_python", "wanted_architectures"]

_ARCHITECTURES = ("x86_64", "aarch64")
_DEB_POLICIES = ("manylinux_2_31", "manylinux_2_35")  # pypa/manylinux: the armv7l images are Debian and Ubuntu
_DEFAULT_RELEASE = ("debian", "bookworm")
_OWN_PYTHONS = {
    "bookworm": "cp311",
    "trixie": "cp313",
    "jammy": "cp310",
    "noble": "cp312",
    "plucky": "cp313",
    "questing": "cp313",
}
"""The CPython of a release's own packages (packages.debian.org, packages.ubuntu.com: python3)."""


def make_images(
    config: Config,
    host: HostFacts,
    cibuildwheel: CibuildwheelFacts,
    interpreters: Sequence[Interpreter] = (),
) -> tuple[ImageSpec, ...]:
    """Return the image of each C library of the configuration, of a bootstrap base the one that there is.

    An image covers every architecture that its base is known for, whatever is selected: so its name, which is a
    digest of its recipe, is the same for all who select differently.
    """
    check_features(config.image.requires)
    if config.image.base == "bootstrap":
        return (_make_image(config, host, cibuildwheel, interpreters, "manylinux"),)
    if config.image.base == "pypa":
        return tuple(_make_image(config, host, cibuildwheel, interpreters, libc) for libc in sorted(set(config.libc)))
    if len(set(config.libc)) > 1:
        raise ConfigError(
            "libc: a base of your own has one C library, and two are asked for",
            hint='Choose libc = ["manylinux"] or libc = ["musllinux"], or use base = "pypa".',
        )
    return (_make_image(config, host, cibuildwheel, interpreters, config.libc[0]),)


def wanted_architectures(config: Config, host: HostFacts) -> tuple[str, ...]:
    """Return the architectures that are asked for, by default this machine's."""
    wanted = config.arch or (host.machine,)
    known = tuple(arch for arch in _ARCHITECTURES if arch in wanted)
    if not known:
        raise ConfigError(
            f"this machine's architecture '{host.machine}' is not one that wheelkiln builds for",
            hint='Set arch = ["x86_64"] or ["aarch64"], which then needs emulation.',
        )
    return known


def own_python(config: Config, host: HostFacts) -> str:
    """Return the tag of the CPython that a bootstrap base's distribution has itself, empty when unknown."""
    return _OWN_PYTHONS.get(_make_bootstrap(config, host).release, "")


def family_of(config: Config, libc: str = "manylinux") -> str:
    """Return the package format of the base, empty when unknown."""
    if config.image.base == "bootstrap":
        return "deb"
    if libc == "musllinux":
        return "apk"
    if config.image.base != "pypa":
        return ""
    return "deb" if config.policy in _DEB_POLICIES else "rpm"


def _make_image(
    config: Config,
    host: HostFacts,
    cibuildwheel: CibuildwheelFacts,
    interpreters: Sequence[Interpreter],
    libc: str,
) -> ImageSpec:
    image = config.image
    family = family_of(config, libc)
    policy = config.policy if libc == "manylinux" else config.musl_policy
    bootstrap = _make_bootstrap(config, host) if image.base == "bootstrap" else None
    if bootstrap is not None:
        bases = tuple(_bootstrap_bases(config, own_python(config, host), interpreters))
    elif image.base == "pypa":
        bases = tuple(_pinned_bases(cibuildwheel, policy, wanted_architectures(config, host)))
    else:
        bases = tuple(Base(arch, image.base.replace("{arch}", arch)) for arch in _ARCHITECTURES)
    return ImageSpec(
        name={"bootstrap": "bootstrap", "pypa": policy}.get(image.base, "custom"),
        family=family,
        bases=bases,
        policy=policy if image.base == "pypa" else "",
        toolchain=image.toolchain,
        linker=image.linker,
        requires=tuple(sorted(set(image.requires))),
        ccache=image.ccache,
        sccache=image.sccache,
        download_mirror=image.download_mirror,
        labels=tuple(sorted(image.labels.items())),
        bootstrap=bootstrap,
        **_packages(config, family),
    )


def _packages(config: Config, family: str) -> Mapping[str, tuple[str, ...]]:
    """The packages of the base's format; where that is unknown, the image build chooses."""
    packages = {"deb": config.image.packages.deb, "rpm": config.image.packages.rpm, "apk": config.image.packages.apk}
    return {name: tuple(sorted(set(names))) for name, names in packages.items() if family in ("", name)}


def _make_bootstrap(config: Config, host: HostFacts) -> Bootstrap:
    own = (host.distribution, host.release) if host.distribution in ("debian", "ubuntu") else _DEFAULT_RELEASE
    distribution, release = own if config.image.release == "auto" else (own[0], config.image.release)
    return Bootstrap(distribution, release, config.image.mirror, tuple(sorted(set(config.image.base_packages))))


def _bootstrap_bases(config: Config, own: str, interpreters: Sequence[Interpreter]) -> Iterator[Base]:
    """Take the interpreters that are at hand for an architecture, and the distribution's own where that adds one."""
    wanted = set(config.python) | set(Config().python)  # one base for every selection of the usual Pythons
    for arch in _ARCHITECTURES:
        found = tuple(known for known in interpreters if known.tag in wanted and known.arch == arch)
        yield Base(arch, interpreters=found, own_python="" if own in {known.tag for known in found} else own)


def _pinned_bases(facts: CibuildwheelFacts, policy: str, wanted: Sequence[str]) -> Iterator[Base]:
    for arch in _ARCHITECTURES:
        pinned = facts.images.get(arch, {})
        if policy in pinned:
            reference = pinned[policy]
            yield Base(arch, reference, digest=reference.partition("@")[2])
        elif arch in wanted:
            known = ", ".join(name for name in pinned if name.startswith(policy[:4]))
            raise ConfigError(
                f"policy: cibuildwheel {facts.version} pins no {policy} image for {arch}",
                hint=f"It pins: {known}. Or set image.base to an image of your own.",
            )
