"""buildx builders: the one to use, made where it is missing, with native nodes for other architectures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.process import mask_secrets

__all__ = ["Builder", "choose_builder", "named_builder"]

_OCI = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
_SECONDS = 120.0
"""A builder that is created may have to fetch BuildKit's image first."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A builder that answered; platforms are those of all its nodes, in OCI's notation."""

    name: str
    driver: str
    platforms: frozenset[str]

    @property
    def sees_local_images(self) -> bool:
        """Tell whether FROM can name an image of the engine's own store."""
        return self.driver == "docker"

    def builds_for(self, arch: str) -> bool:
        return _OCI[arch] in self.platforms


def choose_builder(
    engine: ContainerEngine,
    config: BuilderConfig,
    hosts: Mapping[str, HostConfig],
    *,
    machine: str,
    architectures: Sequence[str],
) -> Builder:
    """Return the builder that is configured, making it where it is missing.

    With machines configured for an architecture that is not this one's, the builder has a node on each of them, and
    its local node is kept from emulating what they run natively. Raise EnvironmentProblem with buildx's reason.
    """
    nodes = {name: host for name, host in sorted(hosts.items()) if set(host.arch) & set(architectures) - {machine}}
    if config.name and not nodes:
        return _inspect(engine, config.name) or _create(engine, config.name, [_create_args(config, config.endpoint)])
    if not nodes and config != BuilderConfig():
        calls = [_create_args(config, config.endpoint)]
        name = f"wheelkiln-{_digest(calls)}"
        return _inspect(engine, name) or _create(engine, name, calls)
    if not nodes:
        found = _inspect(engine, "")
        if found is None:
            raise EnvironmentProblem("docker has no builder that answers", hint="'docker buildx ls' lists them.")
        return found
    elsewhere = {arch for host in nodes.values() for arch in host.arch}
    local = [_OCI[arch] for arch in sorted({machine, *architectures} - elsewhere | {machine})]
    calls = [[*_create_args(config, config.endpoint), "--node=this-machine", f"--platform={','.join(local)}"]]
    for name, host in nodes.items():
        platforms = ",".join(_OCI[arch] for arch in sorted(host.arch))
        calls.append(
            [*_create_args(config, host.docker), "--append", f"--node={_node_name(name)}", f"--platform={platforms}"]
        )
    name = f"{config.name or 'wheelkiln'}-{_digest(calls)}"
    return _inspect(engine, name) or _create(engine, name, calls)


def named_builder(engine: ContainerEngine, name: str) -> Builder:
    """Return a builder that the user names; it is never made, since a name may be mistyped."""
    found = _inspect(engine, name)
    if found is None:
        raise EnvironmentProblem(
            f"docker has no builder '{name}'",
            hint="'docker buildx ls' lists them; one that [tool.wheelkiln.image.builder] describes is made.",
        )
    return found


def _create_args(config: BuilderConfig, endpoint: str) -> list[str]:
    """The endpoint is positional, and last on the command line."""
    options = [f"--driver-opt={key}={value}" for key, value in sorted(config.options.items())]
    return [f"--driver={config.driver}", *options, *([endpoint] if endpoint else [])]


def _create(engine: ContainerEngine, name: str, calls: Sequence[Sequence[str]]) -> Builder:
    for index, call in enumerate(calls):
        options = [word for word in call if word.startswith("--")]
        endpoint = [word for word in call if not word.startswith("--")]
        done = engine.run("buildx", "create", f"--name={name}", *options, *endpoint, timeout=_SECONDS)
        if not done.ok:
            if index:  # else it is not ours: whatever has that name was there before
                engine.run("buildx", "rm", "--force", name)
            where = f" at {mask_secrets(endpoint[0])}" if endpoint else ""
            raise EnvironmentProblem(
                f"the builder {name} could not be created{where}: {done.last_line}",
                hint="[tool.wheelkiln.image.builder] and [tool.wheelkiln.hosts] describe it; '--builder default' is "
                "the engine's own.",
            )
    found = _inspect(engine, name, bootstrap=True)
    if found is None:
        raise EnvironmentProblem(
            f"the builder {name} was created and does not start",
            hint=f"'docker buildx inspect --bootstrap {name}' says why; 'docker buildx rm {name}' removes it.",
        )
    return found


def _inspect(engine: ContainerEngine, name: str, *, bootstrap: bool = False) -> Builder | None:
    """Ask buildx, whose inspect has no other notation than text (docker buildx inspect).

    Return None for a builder that is not there; raise EnvironmentProblem when it is, with a node that fails.
    """
    more = ["--bootstrap"] if bootstrap else []
    done = engine.run("buildx", "inspect", *more, *([name] if name else []), timeout=_SECONDS)
    if not done.ok:
        return None
    if failed := re.search(r"^Error:(.*)$", done.stdout, re.MULTILINE):
        raise EnvironmentProblem(
            f"the builder {name or 'of docker'} does not answer: {mask_secrets(failed[1].strip())}",
            hint="'docker buildx ls' lists all, 'docker buildx rm' removes one. '--builder default' is docker's own.",
        )
    found = {key: value.strip() for key, value in re.findall(r"^(Name|Driver):(.*)$", done.stdout, re.MULTILINE)[:2]}
    return Builder(found.get("Name", name), found.get("Driver", ""), frozenset(_platforms(done.stdout)))


def _platforms(text: str) -> Iterator[str]:
    for line in re.findall(r"^Platforms:(.*)$", text, re.MULTILINE):
        yield from (entry.strip().rstrip("*") for entry in line.split(",") if entry.strip())


def _node_name(name: str) -> str:
    return "host-" + re.sub(r"[^a-z0-9-]", "-", name.lower())


def _digest(calls: Sequence[Sequence[str]]) -> str:
    return hashlib.sha256(json.dumps(calls).encode()).hexdigest()[:8]
