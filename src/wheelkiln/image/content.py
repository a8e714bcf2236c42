"""What an image holds, told from inside: the same for every engine, and where builds run in place in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically

__all__ = ["ImageContent", "explain_difference", "parse_content", "read_content"]

_SETTING = "[tool.wheelkiln.cache] dir"
_MARK = "== "
_LOOK = r"""
home=/opt/wheelkiln
part() { echo "== $1"; shift; "$@" 2>/dev/null || true; echo; }
packages() {
    if [ -f /var/lib/dpkg/status ]; then dpkg-query -W -f '${binary:Package}=${Version}\n'
    elif [ -f /lib/apk/db/installed ]; then
        sed -n -e 's/^P://p' -e 's/^V:/=/p' /lib/apk/db/installed | paste -d '\0' - -
    else rpm -qa --qf '%{NAME}.%{ARCH}=%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n'
    fi | LC_ALL=C sort
}
part recipe cat "$home/recipe.txt"
part inputs cat "$home/recipe.json"
part toolchain cat "$home/toolchain.txt"
part tools cat "$home/versions.txt"
part programs sha256sum "$home/bin/wheelkiln-environment" "$home/bin/wheelkiln-repair" "$home"/links/*
part packages packages
"""
"""Run by the image's own shell. What is not there is told as nothing."""


@dataclass(frozen=True, slots=True)
class ImageContent:
    """recipe is the digest of the recipe, inputs what that was rendered from; both are empty where there is none.

    tools are versions by name, programs digests of wheelkiln's own by name, packages the distribution's, as
    ``name=version``.
    """

    recipe: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    toolchain: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of what reaches wheels, the same wherever the image was made."""
        parts = [self.toolchain, dict(self.tools), dict(self.programs), sorted(self.packages)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def parse_content(text: str) -> ImageContent:
    """Read what _LOOK printed."""
    parts: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(_MARK):
            name = line.removeprefix(_MARK)
        elif line.strip():
            parts.setdefault(name, []).append(line)
    inputs: dict[str, Any] = {}
    with suppress(ValueError):
        read = json.loads("\n".join(parts.get("inputs", [])))
        inputs = read if isinstance(read, dict) else {}
    programs = (line.split(maxsplit=1) for line in parts.get("programs", []) if " " in line)
    return ImageContent(
        recipe="".join(parts.get("recipe", [])).strip(),
        inputs=inputs,
        toolchain="".join(parts.get("toolchain", [])).strip(),
        tools={tool: rest for tool, _, rest in (line.partition(" ") for line in parts.get("tools", [])) if rest},
        programs={place.strip().rpartition("/")[2]: digest for digest, place in programs},
        packages=tuple(parts.get("packages", [])),
    )


def read_content(engine: ContainerEngine, reference: str, image_id: str, cache_dir: Path) -> ImageContent:
    """Return what an image holds: one short container, and from then on what is remembered of image_id."""
    memory = cache_dir / "images" / "contents" / f"{hashlib.sha256(image_id.encode()).hexdigest()[:24]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        table = json.loads(memory.read_text(encoding="utf-8"))
        return ImageContent(**{**table, "packages": tuple(table["packages"])})
    argv = ["run", "--rm", "--network=none", reference, "sh", "-c", _LOOK]
    done = engine.run(*argv)
    if not done.ok:
        raise EnvironmentProblem(f"{engine.name} cannot run the image {reference}: {done.last_line}")
    content = parse_content(done.stdout)
    make_directory(memory.parent, setting=_SETTING)
    with naming_storage_errors(memory, setting=_SETTING):
        write_text_atomically(memory, json.dumps(asdict(content), indent=2) + "\n")
    return content


def explain_difference(recorded: ImageContent, present: ImageContent) -> tuple[str, ...]:
    """Say what one image has and the other has not, a line for each difference."""
    lines = (
        [f"compiler: {recorded.toolchain} -> {present.toolchain}"] if recorded.toolchain != present.toolchain else []
    )
    before, now = _by_name(recorded.packages), _by_name(present.packages)
    for kind, one, other in (
        ("tool", recorded.tools, present.tools),
        ("program", recorded.programs, present.programs),
        ("package", before, now),
    ):
        names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        lines += [f"{kind} {name}: {one.get(name, 'absent')} -> {other.get(name, 'absent')}" for name in names]
    return tuple(lines)


def _by_name(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: version for name, _, version in (entry.partition("=") for entry in packages)}
