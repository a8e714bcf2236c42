"""Rendering an image's build context from its spec: pure, and named by its own digest."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from wheelkiln.plan.model import Base, ImageSpec

__all__ = [
    "BASE_PACKAGES",
    "LOCAL_REPOSITORY",
    "TARGET",
    "Recipe",
    "base_reference",
    "read_shipped",
    "render_recipe",
    "shipped_links",
    "write_context",
]

LOCAL_REPOSITORY = "localhost/wheelkiln"
TARGET = "image"
"""Name of the bake target, and of the Dockerfile's last stage."""
_DIGEST_LENGTH = 16
_INPUTS = "recipe.json"
"""Name of the file that tells an image, from inside, what it was made from: labels cannot be seen there."""
_GITHUB = "https://github.com"

BASE_PACKAGES = (
    "bash",
    "ca-certificates",
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
    """A self-contained build context: texts by relative path, and the tag that its content has.

    references are local names by image name, one for each architecture; inputs are what it was rendered from, as
    JSON that people can compare.
    """

    name: str
    tag: str
    digest: str
    files: Mapping[str, str]
    references: Mapping[str, str]
    inputs: str

    def pushed_reference(self, repository: str) -> str:
        """The name of the manifest list of all architectures in a repository."""
        return f"{repository}/{self.name}:{self.tag}"


def render_recipe(spec: ImageSpec, data: Traversable | None = None) -> Recipe:
    """Render the Dockerfile, the bake file and all that they need; the same spec always gives the same tag.

    data is a directory that stands for the shipped one.
    """
    data = data or _data()
    template = (data / "Dockerfile.j2").read_text(encoding="utf-8")
    files = dict(_static_files(data))
    files["pins.env"] = _render_pins((data / "pins.toml").read_text(encoding="utf-8"), spec.download_mirror)
    files[".dockerignore"] = _render_dockerignore([*files, _INPUTS])
    inputs = _render_inputs(spec, _digest(files))
    files[_INPUTS] = inputs + "\n"
    digest = _digest({**files, "Dockerfile": _render_dockerfile(template, spec, files, inputs, recipe_digest="")})
    files["Dockerfile"] = _render_dockerfile(template, spec, files, inputs, recipe_digest=digest)
    tag = digest[:_DIGEST_LENGTH]
    names = {spec.name_for(base.arch): f"{LOCAL_REPOSITORY}/{spec.name_for(base.arch)}:{tag}" for base in spec.bases}
    files["docker-bake.json"] = _render_bake(spec, f"{LOCAL_REPOSITORY}/{spec.name}:{tag}")
    return Recipe(name=spec.name, tag=tag, digest=digest, files=files, references=names, inputs=inputs)


def read_shipped(name: str) -> str:
    """Return the text of a file that images are made from."""
    return _data().joinpath(*name.split("/")).read_text(encoding="utf-8")


def shipped_links() -> tuple[str, ...]:
    """Return the names of the programs that images have for links."""
    return tuple(sorted(entry.name for entry in _data().joinpath("links").iterdir() if entry.is_file()))


def write_context(recipe: Recipe, directory: Path) -> None:
    """Write a recipe's files below directory."""
    for name, text in recipe.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def base_reference(spec: ImageSpec, base: Base) -> str:
    """Name a bootstrap base by all that it is made from."""
    assert spec.bootstrap is not None
    made_from = [asdict(spec.bootstrap), base.arch, BASE_PACKAGES, _interpreters(base), base.own_python]
    return f"{LOCAL_REPOSITORY}/base_{spec.bootstrap.distribution}_{base.arch}:{_digest(made_from)[:_DIGEST_LENGTH]}"


def _interpreters(base: Base) -> list[list[str]]:
    """Tell apart the sets of interpreters, by version and place: both end up in what is built."""
    return [[found.tag, found.version, str(found.prefix)] for found in base.interpreters]


def _render_dockerfile(
    template: str, spec: ImageSpec, files: Mapping[str, str], inputs: str, *, recipe_digest: str
) -> str:
    from jinja2 import Environment, StrictUndefined

    def digest_of_mounted(*names: str) -> str:
        return _digest({name: text for name, text in files.items() if name.startswith(names)})[:12]

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
    return environment.from_string(template).render(
        inputs=digest_of_mounted,
        bases=[_render_base(spec, base) for base in spec.bases],
        family=spec.family,
        cache_id=spec.bootstrap.release if spec.bootstrap else spec.name,
        ccache=spec.ccache,
        toolchain=spec.toolchain,
        linker=spec.linker,
        packages=_render_packages(spec),
        tools_arguments=" --sccache" if spec.sccache else "",
        environment=_image_environment(spec),
        recipe=recipe_digest,
        labels=[(key, _quote(value)) for key, value in sorted(_labels(spec, inputs, recipe_digest).items())],
    )


def _render_base(spec: ImageSpec, base: Base) -> dict[str, str]:
    """Give the image that FROM names, and the name and digest that labels tell (OCI: image annotations)."""
    reference = base_reference(spec, base) if spec.bootstrap else base.reference
    name, _, pinned = reference.partition("@")
    digest = base.digest or pinned
    return {
        "oci": base.platform.partition("/")[2],
        "image": f"{name}@{digest}" if digest and not base.is_local and not spec.bootstrap else reference,
        "name": _quote(name),
        "digest": digest,
    }


def _quote(value: str) -> str:
    """Quote a label's value so that builders neither expand nor end it (Dockerfile reference: environment)."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", " ".join(value.splitlines())) + '"'


def _render_packages(spec: ImageSpec) -> str:
    names = {"--deb": spec.deb, "--rpm": spec.rpm, "--apk": spec.apk}
    return " ".join(word for option, packages in names.items() if packages for word in (option, *packages))


def _image_environment(spec: ImageSpec) -> list[tuple[str, str]]:
    """Variables by which builds choose the compiler and the linker; a project's own values displace them."""
    compiler = {"CC": "clang", "CXX": "clang++"} if spec.toolchain == "clang" else {}
    linker = {"LDFLAGS": f"-fuse-ld={spec.linker}"} if spec.linker != "default" else {}
    return sorted((compiler | linker).items())


def _labels(spec: ImageSpec, inputs: str, recipe_digest: str) -> dict[str, str]:
    """The labels that belong to the recipe (OCI image spec: annotations); a build adds those of its time and place."""
    compiler = "Apache-2.0 WITH LLVM-exception AND " if spec.toolchain == "clang" else ""
    ours = {
        "org.opencontainers.image.title": f"wheelkiln {spec.name}",
        "org.opencontainers.image.description": f"Build image for Python wheels on {spec.name}, with ccache and "
        f"{spec.toolchain}",
        "org.opencontainers.image.licenses": f"Apache-2.0 AND {compiler}GPL-3.0-or-later WITH GCC-exception-3.1 "
        "AND GPL-3.0-or-later AND MIT AND PSF-2.0",
    }
    return ours | dict(spec.labels) | {"io.wheelkiln.recipe": recipe_digest, "io.wheelkiln.inputs": inputs}


def _render_inputs(spec: ImageSpec, files_digest: str) -> str:
    """Say in one line of JSON what an image is made from; what it is asked for afterwards makes no other image."""
    table: dict[str, Any] = asdict(spec)
    bases = {
        base.arch: base_reference(spec, base) if spec.bootstrap else _render_base(spec, base)["image"]
        for base in spec.bases
    }
    table = {key: value for key, value in table.items() if value and key not in ("requires", "labels")}
    if spec.labels:
        table["labels"] = _digest(spec.labels)[:12]  # they can be read beside this one
    table |= {"bases": bases, "scripts": files_digest[:12]}
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _render_bake(spec: ImageSpec, reference: str) -> str:
    """Write the bake file (docs.docker.com: bake): by itself it builds all platforms; nothing is called latest."""
    target = {
        "context": ".",
        "dockerfile": "Dockerfile",
        "target": TARGET,
        "platforms": [base.platform for base in spec.bases],
        "tags": [reference],
    }
    bake = {"group": {"default": {"targets": [TARGET]}}, "target": {TARGET: target}}
    return json.dumps(bake, indent=2) + "\n"


def _render_dockerignore(files: Iterable[str]) -> str:
    """Let nothing into the context but what the Dockerfile mounts and copies."""
    kept = sorted({f"!{name.partition('/')[0]}" for name in files})
    return "\n".join(["# Generated by: wheelkiln generate image", "*", *kept]) + "\n"


def _render_pins(text: str, mirror: str) -> str:
    ccache = tomllib.loads(text)["ccache"]
    url = ccache["url"].replace(_GITHUB, mirror.rstrip("/"), 1) if mirror else ccache["url"]
    lines = [f"CCACHE_URL={shlex.quote(url)}"]
    lines += [f"CCACHE_SHA256_{arch.upper()}={digest}" for arch, digest in sorted(ccache["sha256"].items())]
    return "\n".join(lines) + "\n"


def _static_files(data: Traversable) -> Iterator[tuple[str, str]]:
    for directory in ("scripts", "links", "requirements", "features/x86_64", "features/aarch64"):
        entries = data.joinpath(*directory.split("/")).iterdir()
        for entry in sorted(entries, key=lambda item: item.name):
            if entry.is_file() and not entry.name.endswith(".in"):
                yield f"{directory}/{entry.name}", entry.read_text(encoding="utf-8")


def _data() -> Traversable:
    """The shipped manylinux/ directory: beside the package in a checkout, inside it when installed."""
    checkout = Path(__file__).parents[3] / "manylinux"
    if (checkout / "Dockerfile.j2").is_file():
        return checkout
    return resources.files("wheelkiln.image") / "manylinux"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
