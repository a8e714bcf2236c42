"""Providing the image of a spec: one inspect when it is there, built under a lock when it is not."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bootstrap import make_base_tarball
from wheelkiln.image.recipe import Recipe, base_reference, render_recipe
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import free_bytes, make_directory, naming_storage_errors, write_text_atomically
from wheelkiln.system.locks import exclusive
from wheelkiln.system.pip_settings import PipSettings, is_local

__all__ = ["BuiltImage", "ImageBuilder", "write_context"]

_KEPT_LINES = 25
_VERSIONS = "/opt/wheelkiln/versions.txt"
_NEEDED_BYTES = 3 << 30
_UNREACHABLE = re.compile(
    r"failed to resolve|failed to do request|initializing source docker://|pinging container registry"
)
_HINT_UNREACHABLE = (
    "The base image could not be fetched. Is its registry reachable ('docker pull' it by hand)? "
    'image.base = "bootstrap" (or --base bootstrap) makes a base on this machine without any registry.'
)
_HINT_FAILED = (
    "The lines above are the failed step's own. A name in image.packages that the base does not have fails like "
    "this, as does a package mirror or index that cannot be reached."
)
_STEP_PREFIX = re.compile(r"^(#\d+ )?(\d+\.\d+ )?")


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is there: its reference, the engine's content digest, whether this call built it, its tools."""

    reference: str
    digest: str
    built: bool
    tools: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Builds images with one engine; say receives a line per step, log every line of the tools' output."""

    engine: ContainerEngine
    cache_dir: Path
    pip: PipSettings
    ca_bundle: Path | None
    proxies: tuple[str, ...]
    say: Callable[[str], None]
    log: Callable[[str], None]

    def provide(self, spec: ImageSpec) -> BuiltImage:
        """Return the spec's image, building base and layers when they are absent.

        Raise EnvironmentProblem with the reason when that fails; no half-made reference is left behind.
        """
        recipe = render_recipe(spec)
        known = self.engine.image_id(recipe.reference)
        if known:
            return self._describe(recipe, known, built=False)

        def wait() -> None:
            self.say(f"another run is building {recipe.reference}; waiting for it")

        with exclusive(self.cache_dir / "locks", recipe.reference, on_wait=wait):
            known = self.engine.image_id(recipe.reference)
            if known:
                return self._describe(recipe, known, built=False)
            if spec.is_bootstrap:
                self._provide_base(spec)
            self._build(spec, recipe)
        digest = self.engine.image_id(recipe.reference)
        if digest is None:
            raise EnvironmentProblem(f"{self.engine.name} built {recipe.reference} but does not have it")
        return self._describe(recipe, digest, built=True)

    def _describe(self, recipe: Recipe, digest: str, *, built: bool) -> BuiltImage:
        """Read the versions of the image's tools from inside it, once for each image."""
        memory = self.cache_dir / "images" / f"{self.engine.name}-{digest.rpartition(':')[2][:32]}.txt"
        if not memory.is_file():
            done = self.engine.run("run", "--rm", "--network=none", recipe.reference, "cat", _VERSIONS)
            if not done.ok:
                raise EnvironmentProblem(
                    f"{self.engine.name} cannot run the image {recipe.reference}: {done.last_line}",
                    hint="Does it run any container? docs/how-to has what podman needs on a machine without systemd.",
                )
            make_directory(memory.parent, setting="[tool.wheelkiln.cache] dir")
            with naming_storage_errors(memory, setting="[tool.wheelkiln.cache] dir"):
                write_text_atomically(memory, done.stdout)
        lines = memory.read_text(encoding="utf-8").splitlines()
        tools = tuple((name, version) for name, _, version in (line.partition(" ") for line in lines) if version)
        return BuiltImage(recipe.reference, digest, built, tools)

    def _provide_base(self, spec: ImageSpec) -> None:
        reference = base_reference(spec)
        if self.engine.image_id(reference):
            return
        self.say(f"making the base from {spec.distribution} {spec.release} packages: {reference}")
        with self._scratch() as scratch:
            tarball = make_base_tarball(spec, scratch, self.engine.runner, self.log)
            self.engine.import_image(tarball, reference, changes=["ENV LANG=C.UTF-8"])

    def _build(self, spec: ImageSpec, recipe: Recipe) -> None:
        self.say(f"building the image {recipe.reference}")
        lines: list[str] = []

        def note(line: str) -> None:
            lines.append(line)
            self.log(line)

        with self._scratch() as scratch:
            context = scratch / "context"
            write_context(recipe, context)
            status = self.engine.build_image(
                context,
                recipe.reference,
                platform=spec.platform,
                secrets=self._secrets(scratch),
                build_args=self.proxies,
                on_line=note,
            )
        if status != 0:
            unreachable = any(_UNREACHABLE.search(line) for line in lines)
            raise EnvironmentProblem(
                "\n".join([f"the image {recipe.reference} could not be built:", *_reasons(lines)]),
                hint=_HINT_UNREACHABLE if unreachable else _HINT_FAILED,
            )

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A place for large files: the cache's disk, since /tmp is often memory."""
        place = make_directory(self.cache_dir / "tmp", setting="[tool.wheelkiln.cache] dir")
        if free_bytes(place) < _NEEDED_BYTES:
            raise EnvironmentProblem(
                f"less than {_NEEDED_BYTES >> 30} GiB are free at {place}, which an image build needs",
                hint="Free some space there, or choose another place with [tool.wheelkiln.cache] dir.",
            )
        with (
            naming_storage_errors(place, setting="[tool.wheelkiln.cache] dir"),
            tempfile.TemporaryDirectory(dir=place) as name,
        ):
            yield Path(name)

    def _secrets(self, scratch: Path) -> Mapping[str, Path]:
        """The host's certificates and pip's indexes reach RUN steps as secrets: no layer ever holds them."""
        secrets = {"ca": self.ca_bundle} if self.ca_bundle else {}
        pip_conf = scratch / "pip.conf"
        pip_conf.touch(mode=0o600)
        pip_conf.write_text(_render_pip_conf(self.pip), encoding="utf-8")
        return {**secrets, "pip": pip_conf}


def write_context(recipe: Recipe, directory: Path) -> None:
    """Write a recipe's files below directory."""
    for name, text in recipe.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


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


def _reasons(lines: list[str]) -> list[str]:
    """What the failed step printed: BuildKit repeats it between two rules and says why last; others print it last."""
    rules = [index for index, line in enumerate(lines) if line == "------"]
    block = lines[rules[0] + 2 : rules[1]] if len(rules) > 1 else lines[-_KEPT_LINES:]
    verdict = [line for line in lines if line.startswith("ERROR: ")] if len(rules) > 1 else []
    plain = [_STEP_PREFIX.sub("", line) for line in (*block, *verdict[-1:]) if line.strip()]
    return [f"  | {line}" for line in plain[-_KEPT_LINES:]]
