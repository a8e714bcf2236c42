"""Providing the images of a spec: one inspect when they are there, else pulled, else built, under a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bake import BakeInputs, BuildOptions, Provenance
from wheelkiln.image.bootstrap import BASE_CHANGES, make_base_tarball
from wheelkiln.image.buildkit import build_with_buildkit
from wheelkiln.image.memory import ImageMemory, RememberedImage, parse_toolchain
from wheelkiln.image.podman import build_with_podman
from wheelkiln.image.recipe import Recipe, base_reference, render_recipe, write_context
from wheelkiln.image.registry import Answer, Registry
from wheelkiln.plan.features import explain_missing
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.emulation import advise_emulator
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import free_bytes, make_directory, naming_storage_errors
from wheelkiln.system.host import PROXY_VARIABLES, HostFacts
from wheelkiln.system.image_store import ImageStore, LocalImage
from wheelkiln.system.locks import exclusive, scratch_directory
from wheelkiln.system.pip_settings import PipSettings, is_local

__all__ = ["BuiltImage", "ImageProvider", "Origin"]

_NEEDED_BYTES = 3 << 30
_SETTING = "[tool.wheelkiln.cache] dir"
_VERSIONS = "/opt/wheelkiln/versions.txt"


class Origin(StrEnum):
    """How an image came to be there."""

    PRESENT = "present"
    PULLED = "pulled"
    BUILT = "built"
    REMEMBERED = "remembered"
    """Not needed: its wheels were all at hand."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is there: its reference, the engine's content digest, its origin in this call, its tools.

    host is the configured machine whose engine has it, empty for the user's own engine.
    """

    name: str
    reference: str
    digest: str
    origin: Origin
    tools: tuple[tuple[str, str], ...] = ()
    toolchain: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class ImageProvider:
    """Provides images with one engine; say receives a line per step, log every line of the tools' output.

    pip and provenance are asked only when something is built: they run programs of their own.
    """

    engine: ContainerEngine
    host: HostFacts
    cache_dir: Path
    pip: Callable[[], PipSettings]
    say: Callable[[str], None]
    log: Callable[[str], None]
    options: BuildOptions = field(default_factory=BuildOptions)
    builder: BuilderConfig = field(default_factory=BuilderConfig)
    hosts: Mapping[str, HostConfig] = field(default_factory=dict)
    provenance: Callable[[], Provenance] = Provenance

    def provide(self, spec: ImageSpec, architectures: Sequence[str]) -> tuple[BuiltImage, ...]:
        """Return the spec's images for these architectures, pulling or building what is absent.

        Without the option load, what is built does not stay here, and is not among them.
        Raise EnvironmentProblem with the reason when that fails; no half-made reference is left behind.
        """
        recipe = render_recipe(spec)
        always = self.options.no_cache or self.options.push or self.options.export_cache
        origins = dict.fromkeys(architectures, Origin.PRESENT)
        if always or self._absent(spec, recipe, architectures):
            with exclusive(self.cache_dir / "locks", f"image {recipe.tag}", on_wait=lambda: self._say_wait(recipe)):
                absent = self._absent(spec, recipe, architectures)
                pulled = [] if always else [arch for arch in absent if self._pull(spec, recipe, arch)]
                needed = list(architectures) if always else [arch for arch in absent if arch not in pulled]
                if needed:
                    self._build(spec, recipe, needed)
                origins |= dict.fromkeys(pulled, Origin.PULLED) | dict.fromkeys(needed, Origin.BUILT)
        if not self.options.load and Origin.BUILT in origins.values():
            return ()
        return tuple(self._describe(spec, recipe, arch, origins[arch]) for arch in architectures)

    def _absent(self, spec: ImageSpec, recipe: Recipe, architectures: Sequence[str]) -> list[str]:
        return [arch for arch in architectures if self._find(spec, recipe, arch) is None]

    def _find(self, spec: ImageSpec, recipe: Recipe, arch: str) -> LocalImage | None:
        return ImageStore(self.engine).find(recipe.references[spec.name_for(arch)])

    def _say_wait(self, recipe: Recipe) -> None:
        self.say(f"another run is building {recipe.name}:{recipe.tag}; waiting for it")

    def _pull(self, spec: ImageSpec, recipe: Recipe, arch: str) -> bool:
        """Take the image from the repository where it has been pushed; a registry that fails costs a message."""
        if not self.options.repository:
            return False
        reference = recipe.pushed_reference(self.options.repository)
        self.say(f"looking for {reference} ({arch})")
        answer, reason = Registry(self.engine).pull(reference, arch, recipe.references[spec.name_for(arch)])
        if answer is Answer.NO_ANSWER:
            self.say(f"{reference} could not be looked for, so it is built here: {reason}")
        return answer is Answer.PULLED

    def _build(self, spec: ImageSpec, recipe: Recipe, architectures: Sequence[str]) -> None:
        self._check_emulators(architectures)
        digests = {arch: self._provide_base(spec, arch) for arch in architectures} if spec.bootstrap else {}
        self.say(f"building the image {recipe.name}:{recipe.tag} for {', '.join(architectures)}")
        with self._scratch() as scratch:
            write_context(recipe, scratch / "context")
            inputs = BakeInputs(
                spec=spec,
                recipe=recipe,
                architectures=tuple(architectures),
                options=self.options,
                provenance=self.provenance(),
                secrets=self._secrets(scratch),
                build_args=tuple(name for name in PROXY_VARIABLES if self.host.environ.get(name)),
                base_digests=digests,
            )
            if self.engine.is_podman:
                build_with_podman(self.engine, inputs, scratch, self.log)
            else:
                build_with_buildkit(self.engine, self.host, self.builder, self.hosts, inputs, scratch, self.log)

    def _check_emulators(self, architectures: Sequence[str]) -> None:
        """Refuse what nothing here can run; machines that are configured run theirs natively."""
        elsewhere = {arch for host in self.hosts.values() for arch in host.arch} if not self.engine.is_podman else set()
        own_builder = self.builder != BuilderConfig() or bool(self.options.builder)
        for arch in architectures:
            if own_builder or arch == self.host.machine or arch in self.host.emulated or arch in elsewhere:
                continue
            raise EnvironmentProblem(
                f"this machine is {self.host.machine} and its kernel has no emulator for {arch}",
                hint=advise_emulator(arch),
            )

    def _describe(self, spec: ImageSpec, recipe: Recipe, arch: str, origin: Origin) -> BuiltImage:
        """Read what the image says of itself: by its labels, or, where it was built by hand, from inside it."""
        name = spec.name_for(arch)
        image = self._find(spec, recipe, arch)
        if image is None:
            raise EnvironmentProblem(f"{self.engine.name} made {recipe.references[name]} but does not have it")
        toolchain, versions = (
            image.labels.get("io.wheelkiln.toolchain", ""),
            image.labels.get("io.wheelkiln.versions", ""),
        )
        lines = versions.split("; ") if versions else self._read_versions(image)
        ImageMemory(self.cache_dir).remember_toolchain(image.reference, toolchain)
        self._check_features(spec, arch, image.reference, toolchain)
        tools = tuple((tool, version) for tool, _, version in (line.partition(" ") for line in lines) if version)
        known = RememberedImage(image.id, toolchain, tools)
        ImageMemory(self.cache_dir).remember_image(self.engine.name, image.reference, known)
        return BuiltImage(name, image.reference, image.id, origin, tools, toolchain, self.engine.host)

    def _check_features(self, spec: ImageSpec, arch: str, reference: str, line: str) -> None:
        toolchain = parse_toolchain(line)
        lack = explain_missing(toolchain, arch, spec.requires) if toolchain else ""
        if lack:
            raise EnvironmentProblem(
                f"image.requires: {lack} ({reference})",
                hint="Choose a base with a newer compiler, or another image.toolchain.",
            )

    def _read_versions(self, image: LocalImage) -> list[str]:
        done = self.engine.run("run", "--rm", "--network=none", image.reference, "cat", _VERSIONS)
        if not done.ok:
            raise EnvironmentProblem(
                f"{self.engine.name} cannot run the image {image.reference}: {done.last_line}",
                hint="Does it run any container? docs/how-to has what podman needs on a machine without systemd.",
            )
        return done.stdout.splitlines()

    def _provide_base(self, spec: ImageSpec, arch: str) -> str:
        """Make the bootstrap base of an architecture where it is missing; return the engine's digest of it."""
        assert spec.bootstrap is not None
        base, store = spec.base_for(arch), ImageStore(self.engine)
        reference = base_reference(spec, base)
        if store.find(reference) is None:
            self.say(
                f"making the base from {spec.bootstrap.distribution} {spec.bootstrap.release} packages: {reference}"
            )
            with self._scratch() as scratch:
                tarball = make_base_tarball(spec, base, scratch, self.engine.runner, self.log)
                store.import_tarball(tarball, reference, platform=base.platform, changes=BASE_CHANGES)
        found = store.find(reference)
        if found is None:
            raise EnvironmentProblem(f"{self.engine.name} imported {reference} but does not have it")
        ImageMemory(self.cache_dir).remember_toolchain(reference, "")
        return found.id

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A place for large files: the cache's disk, since /tmp is often memory."""
        place = make_directory(self.cache_dir / "tmp", setting=_SETTING)
        if free_bytes(place) < _NEEDED_BYTES:
            raise EnvironmentProblem(
                f"less than {_NEEDED_BYTES >> 30} GiB are free at {place}, which an image build needs",
                hint="Free some space there, or choose another place with [tool.wheelkiln.cache] dir.",
            )
        with naming_storage_errors(place, setting=_SETTING), scratch_directory(place, "image-") as scratch:
            yield scratch

    def _secrets(self, scratch: Path) -> Mapping[str, Path]:
        """The host's certificates and pip's indexes reach RUN steps as secrets: no layer ever holds them."""
        secrets = {"ca": self.host.ca_bundle} if self.host.ca_bundle else {}
        pip_conf = scratch / "pip.conf"
        pip_conf.touch(mode=0o600)
        pip_conf.write_text(_render_pip_conf(self.pip()), encoding="utf-8")
        return {**secrets, "pip": pip_conf}


def _render_pip_conf(pip: PipSettings) -> str:
    """Write the settings that hold inside a container: local directories do not exist there."""
    lines = ["[global]"]
    if pip.index_url and not is_local(pip.index_url):
        lines.append(f"index-url = {pip.index_url}")
    extra = [url for url in pip.extra_index_urls if not is_local(url)]
    lines += [f"extra-index-url = {' '.join(extra)}"] if extra else []
    lines += [f"trusted-host = {' '.join(pip.trusted_hosts)}"] if pip.trusted_hosts else []
    lines += [f"proxy = {pip.proxy}"] if pip.proxy else []
    return "\n".join(lines) + "\n"
