"""Telling why an image build failed: the failed step's own lines, and the remedy for what is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.registry import UPLOAD_STATE, explain_registry
from wheelkiln.system.process import mask_secrets

__all__ = ["explain_failure", "image_problem"]

_KEPT_LINES = 25
_RULE = "-" * 6
_STEP_PREFIX = re.compile(r"^(#\d+ )?(\d+\.\d+ )?")
_FAILED_PROCESS = re.compile(r"^#(\d+) ERROR: process ")
_SOURCE_LISTING = re.compile(r"^\s*(\d+ \| |>>> )|^-{5,}$|^Dockerfile:\d+$")
_BUILDAH_STEP = re.compile(r"^(\[\d+/\d+\] )?STEP \d+(/\d+)?: ")
_KNOWN = (
    (
        r"has not the pinned SHA-256",
        "What was downloaded is not what was pinned, and was not used. Look at who answers for that address "
        '(image.download-mirror, a proxy); image.ccache = "distribution" does without the download.',
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "The index has other files than those that are pinned: which index "
        "answers ('pip config list')? Nothing was installed.",
    ),
    (
        r"cannot be fetched: ",
        'The pinned download cannot be reached: image.download-mirror names another place, image.ccache = "auto" '
        "takes the base's own package instead.",
    ),
    (
        r"package mirror of this base cannot be read|Could not resolve '|Failed to fetch http|Cannot download repomd",
        "The package mirror cannot be reached or read: is the network there, and a proxy set where one is needed? "
        "image.mirror names another one for a bootstrap base.",
    ),
    (
        r"Unable to locate package|has no installation candidate|No match for argument|unable to select packages",
        "image.packages names a package that the base does not have. Names differ between releases: "
        "'apt-cache search', 'dnf search' or 'apk search' in the base finds them.",
    ),
    (
        r"[Cc]ache export (feature )?is (currently )?not supported",
        'docker\'s own builder exports caches only with the containerd image store ("features": '
        '{"containerd-snapshotter": true} in its daemon.json); a builder of another driver does, too: '
        "image.builder.name and driver, or --builder.",
    ),
    (
        r"exec format error",
        "The builder cannot run this architecture: 'wheelkiln image build --register-emulators', "
        "or a machine in [tool.wheelkiln.hosts].",
    ),
    (
        r"failed to resolve source metadata|failed to do request|initializing source docker://|pinging container reg",
        "The base image could not be fetched. Is its registry reachable ('docker pull' it by hand)? "
        'image.base = "bootstrap" (or --base bootstrap) makes a base on this machine without any registry.',
    ),
    (
        r"No matching distribution found|Could not find a version that satisfies|NewConnectionError",
        "The package index cannot be reached or lacks a tool: 'pip config list' shows which one is asked.",
    ),
    (r"no space left on device", "The engine's disk is full: 'docker system df', 'wheelkiln image prune'."),
)
_PUSH = "image.repository says where images are pushed to."
_OTHERWISE = "The lines above are the failed step's own. 'wheelkiln generate image' writes the recipe to try by hand."


def explain_failure(lines: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the lines that say why, and what to do about it."""
    reasons = tuple(UPLOAD_STATE.sub("", mask_secrets(line)) for line in _reasons(lines))
    text = "\n".join(reasons)
    if "failed to push" in text:
        return reasons[-1:], explain_registry(text) or _PUSH
    for pattern, hint in _KNOWN:
        if re.search(pattern, text):
            return reasons, hint
    return reasons, explain_registry(text) or _OTHERWISE


def image_problem(title: str, lines: Sequence[str]) -> EnvironmentProblem:
    """Make the error of an image build that printed these lines."""
    reasons, hint = explain_failure(lines)
    return EnvironmentProblem("\n".join([title, *(f"  | {line}" for line in reasons)]), hint=hint)


def _reasons(lines: Sequence[str]) -> list[str]:
    """What the failed step printed, and BuildKit's verdict, which it gives last."""
    block = list(_repeated(lines)) or _failed_step(lines) or _last_step(lines)
    verdict = [line for line in lines if line.startswith(("ERROR: ", "error: "))]
    plain = [_STEP_PREFIX.sub("", line) for line in (*block, *verdict[-1:]) if line.strip()]
    kept = [line for line in plain if not _SOURCE_LISTING.match(line)]
    return list(dict.fromkeys(kept[-_KEPT_LINES:]))


def _failed_step(lines: Sequence[str]) -> Sequence[str]:
    """Return what BuildKit printed of the step whose process failed: at times it repeats nothing at the end."""
    failed = [match[1] for line in lines if (match := _FAILED_PROCESS.match(line))]
    own = re.compile(rf"^#{failed[-1]} \d+\.\d+ ") if failed else None
    return [line for line in lines if own.match(line)] if own else []


def _repeated(lines: Sequence[str]) -> Iterator[str]:
    """Yield what BuildKit repeats of each failed step, at times an empty line; a cache that is absent is one, too."""
    inside = False
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if line == _RULE:
            inside = following.startswith(" > ")
        elif inside and line.strip() and not line.startswith(" > "):
            yield line


def _last_step(lines: Sequence[str]) -> Sequence[str]:
    """Leave out what buildah printed until its last finished layer.

    It prints the steps and what they say through two channels, so what the failed step said can stand before its line.
    """
    done = [index for index, line in enumerate(lines) if line.startswith("--> ")]
    begun = [index for index, line in enumerate(lines) if _BUILDAH_STEP.match(line)]
    start = done[-1] + 1 if done else begun[-2] + 1 if len(begun) > 1 else 0
    return [line for line in lines[start:] if not _BUILDAH_STEP.match(line)]
