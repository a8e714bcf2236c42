"""Rendering an image's build context from its spec: pure, and named by its own digest."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from wheelkiln.plan.model import ImageSpec

__all__ = ["BASE_PACKAGES", "Recipe", "base_reference", "interpreters_digest", "render_recipe"]

_REPOSITORY = "localhost/wheelkiln"
_DIGEST_LENGTH = 16

BASE_PACKAGES = (
    "bash",
    "ca-certificates",
    "ccache",
    "file",
    "g++",
    "gcc",
    "git",
    "make",
    "patch",
    "pkg-config",
    "unzip",
    "xz-utils",
    # what the interpreters' standard library is linked with; -dev names are the same in every release
    "libbz2-dev",
    "libexpat1-dev",
    "libffi-dev",
    "liblzma-dev",
    "libncurses-dev",
    "libreadline-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "uuid-dev",
    "zlib1g-dev",
)
"""Packages of a bootstrap base besides the distribution's essential ones."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A self-contained build context: texts by relative path, and the reference that its content has."""

    reference: str
    digest: str
    files: Mapping[str, str]


def render_recipe(spec: ImageSpec) -> Recipe:
    """Render the Dockerfile and all that it needs; the same spec always gives the same reference."""
    base = base_reference(spec) if spec.is_bootstrap else spec.base
    files = dict(_static_files())
    files["pins.env"] = _render_pins((_data() / "pins.toml").read_text(encoding="utf-8"))
    without_label = _render_dockerfile(spec, base, recipe_digest="")
    digest = _digest({**files, "Dockerfile": without_label})
    files["Dockerfile"] = _render_dockerfile(spec, base, recipe_digest=digest)
    return Recipe(reference=f"{_REPOSITORY}/{spec.name}:{digest[:_DIGEST_LENGTH]}", digest=digest, files=files)


def base_reference(spec: ImageSpec) -> str:
    """Name a bootstrap base by all that it is made from."""
    made_from = [spec.distribution, spec.release, spec.arch, *BASE_PACKAGES, interpreters_digest(spec)]
    return f"{_REPOSITORY}/base_{spec.distribution}_{spec.arch}:{_digest(made_from)[:_DIGEST_LENGTH]}"


def interpreters_digest(spec: ImageSpec) -> str:
    """Tell apart the sets of interpreters, by version and place: both end up in what is built."""
    return _digest([[found.tag, found.version, str(found.prefix)] for found in spec.interpreters])


def _render_dockerfile(spec: ImageSpec, base: str, *, recipe_digest: str) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a Dockerfile, not HTML; every value is validated by the configuration
    )
    labels = {
        "org.opencontainers.image.title": "wheelkiln build image",
        "org.opencontainers.image.description": f"manylinux build image for {spec.arch} with ccache",
        "org.opencontainers.image.base.name": base,
        "io.wheelkiln.recipe": recipe_digest,
    }
    deb = ["--deb", *spec.deb] if spec.deb else []
    rpm = ["--rpm", *spec.rpm] if spec.rpm else []
    template = environment.from_string((_data() / "Dockerfile.j2").read_text(encoding="utf-8"))
    return template.render(
        base=base,
        family=spec.family,
        packages_command=" ".join(["bash /mnt/packages.sh", *deb, *rpm]),
        cache_id=f"{spec.release or spec.family or 'custom'}-{spec.arch}",
        labels=[(key, json.dumps(value)) for key, value in sorted(labels.items())],
    )


def _render_pins(text: str) -> str:
    ccache = tomllib.loads(text)["ccache"]
    lines = [f"CCACHE_URL='{ccache['url']}'"]
    lines += [f"CCACHE_SHA256_{arch.upper()}={digest}" for arch, digest in sorted(ccache["sha256"].items())]
    return "\n".join(lines) + "\n"


def _static_files() -> Iterator[tuple[str, str]]:
    for directory in ("scripts", "requirements"):
        for entry in sorted((_data() / directory).iterdir(), key=lambda item: item.name):
            if entry.is_file():
                yield f"{directory}/{entry.name}", entry.read_text(encoding="utf-8")


def _data() -> Traversable:
    """The shipped manylinux/ directory: beside the package in a checkout, inside it when installed."""
    checkout = Path(__file__).parents[3] / "manylinux"
    if (checkout / "Dockerfile.j2").is_file():
        return checkout
    return resources.files("wheelkiln.image") / "manylinux"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
