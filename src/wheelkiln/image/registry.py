"""Images in a registry: looked for before one is built, and pushed as one manifest list of all architectures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.image_store import ImageStore

__all__ = ["UPLOAD_STATE", "Answer", "Registry", "explain_registry", "part_reference"]

_SECONDS = 30.0
_OCI = {"x86_64": "amd64", "aarch64": "arm64"}
_ABSENT = re.compile(
    r"(?<!executable file )not found|manifest unknown|name unknown|no such manifest|does not exist|"
    r"no image found in (manifest list|image index)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b401\b|\b403\b|unauthorized|authentication required|denied|forbidden|authorization failed|"
    r"no basic auth credentials",
    re.IGNORECASE,
)
UPLOAD_STATE = re.compile(r"\?_state=[^\s\"]+")
"""What a registry hands back with each piece of an upload; it says nothing to people."""
_GONE = re.compile(
    r"connection (refused|reset)|no such host|i/o timeout|dial tcp|unexpected EOF|\bEOF\b|broken pipe|"
    r"\b50[0-9]\b|server misbehaving|TLS handshake|network is unreachable|did not answer within",
    re.IGNORECASE,
)


class Answer(StrEnum):
    """What came of looking for an image: absent is an answer, the other two are not."""

    PULLED = "pulled"
    ABSENT = "absent"
    NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry that an engine reaches, with the engine's own credentials."""

    engine: ContainerEngine

    def pull(self, reference: str, arch: str, name: str) -> tuple[Answer, str]:
        """Pull one architecture of a manifest list and give it a local name; return the reason where that fails."""
        try:
            found = self._find(reference, arch)
            done = self.engine.run("pull", "--quiet", f"--platform=linux/{_OCI[arch]}", found)
        except EnvironmentProblem as problem:
            return Answer.NO_ANSWER, problem.message
        except LookupError as error:
            return Answer.ABSENT, str(error)
        if not done.ok:
            absent = _ABSENT.search(done.last_line) and not _DENIED.search(done.last_line)
            return (Answer.ABSENT if absent else Answer.NO_ANSWER), done.last_line
        store = ImageStore(self.engine)
        store.tag(found, name)
        store.remove(found)
        return Answer.PULLED, ""

    def push(self, reference: str, names: Mapping[str, str], others: Sequence[str] = ()) -> None:
        """Push local images, by architecture, and then the manifest list: a list is never there without its parts.

        What the list already has for the other architectures stays in it, so that each can come from a machine of its
        own. Raise EnvironmentProblem with the registry's reason; the list's name then stands for what it stood before.
        """
        if self.engine.is_podman:
            self._push_with_podman(reference, names, others)
            return
        store = ImageStore(self.engine)
        for arch, name in sorted(names.items()):
            part = part_reference(reference, arch)
            store.tag(name, part)
            done = self.engine.run("push", "--quiet", part)
            store.remove(part)
            if not done.ok:
                raise _push_problem(part, done.last_line)
        self.join(reference, sorted(names), others)

    def join(self, reference: str, pushed: Sequence[str], others: Sequence[str]) -> None:
        """Make the manifest list of parts that have been pushed, and of what is there for other architectures."""
        sources = [part_reference(reference, arch) for arch in pushed]
        for arch in others:
            for known in (reference, part_reference(reference, arch)):
                with suppress(LookupError, EnvironmentProblem):
                    sources.append(self._find(known, arch))
                    break
        done = self.engine.run("buildx", "imagetools", "create", "--tag", reference, *sources)
        if not done.ok:
            raise _push_problem(reference, done.last_line)

    def resolves(self, reference: str) -> str:
        """Return the digest that a name stands for in its registry, empty where nobody answers."""
        if self.engine.is_podman:
            return ""
        command = ("buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", reference)
        try:
            done = self.engine.run(*command, timeout=_SECONDS)
        except EnvironmentProblem:
            return ""
        found = re.search(r"sha256:[0-9a-f]{64}", done.stdout) if done.ok else None
        return found[0] if found else ""

    def _find(self, reference: str, arch: str) -> str:
        """Name the one image of a list that is for an architecture; podman's store holds one of a list by itself.

        Raise LookupError when the registry says that there is none, EnvironmentProblem when it does not say.
        """
        if self.engine.is_podman:
            return reference
        done = self.engine.run("buildx", "imagetools", "inspect", "--raw", reference, timeout=_SECONDS)
        if not done.ok:
            if _ABSENT.search(done.last_line) and not _DENIED.search(done.last_line):
                raise LookupError(done.last_line)
            raise EnvironmentProblem(done.last_line)
        try:
            manifests = json.loads(done.stdout).get("manifests")
        except ValueError:
            raise EnvironmentProblem(f"what {reference} is in its registry cannot be read") from None
        if manifests is None:
            return reference
        for entry in manifests:
            if entry.get("platform", {}).get("architecture") == _OCI[arch]:
                return f"{reference.rpartition(':')[0]}@{entry['digest']}"
        raise LookupError(f"{reference} has no image for {arch}")

    def _push_with_podman(self, reference: str, names: Mapping[str, str], others: Sequence[str]) -> None:
        listed = f"{reference}-list"
        self.engine.run("manifest", "rm", listed)
        try:
            self._manifest("create", listed)
            for _, name in sorted(names.items()):
                self._manifest("add", listed, f"containers-storage:{name}")
            for arch in others:  # fails where the list has none, or is not there yet
                self.engine.run("manifest", "add", f"--arch={_OCI[arch]}", listed, f"docker://{reference}")
            done = self.engine.run("manifest", "push", "--all", listed, f"docker://{reference}")
            if not done.ok:
                raise _push_problem(reference, done.last_line)
        finally:
            self.engine.run("manifest", "rm", listed)

    def _manifest(self, *arguments: str) -> None:
        done = self.engine.run("manifest", *arguments)
        if not done.ok:
            raise EnvironmentProblem(f"podman could not put the manifest list together: {done.last_line}")


def part_reference(reference: str, arch: str) -> str:
    """Name one architecture's image in a registry beside its manifest list."""
    return f"{reference}-{arch}"


def explain_registry(text: str) -> str:
    """Say what to do about a registry's refusal, empty when text does not speak of one."""
    if _DENIED.search(text):
        return "Is the engine logged in to that registry ('docker login', 'podman login'), with the right to do this?"
    if _GONE.search(text):
        return "The registry does not answer, or stopped in the middle. What was sent is kept there: try again."
    return ""


def _push_problem(reference: str, reason: str) -> EnvironmentProblem:
    reason = UPLOAD_STATE.sub("", reason)
    hint = explain_registry(reason) or "image.repository says where images are pushed to."
    return EnvironmentProblem(f"{reference} could not be pushed: {reason}", hint=hint)
