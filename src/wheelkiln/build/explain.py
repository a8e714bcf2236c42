"""From a failed job's log to the lines that matter and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wheelkiln.config.model import Config

__all__ = ["explain_failure", "lost_connection", "relevant_lines"]

_ERROR = re.compile(
    r"(\bfatal error\b|\berror:|\bError:|\bERROR\b|CMake Error|undefined reference|cannot find -l|"
    r"could not be located|No space left|Permission denied|Killed|^wheelkiln-repair:|FAILED:|error: failed)"
)
_NOISE = re.compile(
    r"^(\s*\+ |cibuildwheel: error: Command |Traceback|\s+File \"|\s+yield$|ERROR Command |\s+[✕✓] |"
    r"ERROR Backend subprocess exited|The above exception)"
)
_BROKEN = re.compile(
    r"Cannot connect to the Docker daemon|error during connect|connection (refused|reset)|broken pipe|unexpected EOF|"
    r"the container shell has exited|No such container|client_loop: send disconnect|Connection (to|closed)",
    re.IGNORECASE,
)
"""What docker, ssh and cibuildwheel say when the engine goes away (cibuildwheel: oci_container)."""
_BEFORE, _AFTER, _MOST = 1, 6, 24
_LAST = 6

_DOING = {
    "copy": "copying the source into the container",
    "before-all": "running the project's before-all",
    "before-build": "running the project's before-build",
    "setup": "setting up the interpreter",
    "frontend": "starting the build frontend",
    "environment": "installing the build requirements",
    "compile": "compiling",
    "repair": "repairing the wheel with auditwheel",
    "test": "testing the wheel",
    "collect": "copying the wheel out of the container",
}

_EXPLANATIONS: tuple[tuple[str, str, str], ...] = (
    (
        r"(?m)^(?:Error: unable to start container \w+|.*Error response from daemon|OCI runtime \w+ failed): "
        r"(?P<reason>.{1,160})",
        "the engine could not start the container: {reason}",
        "Does it run any container? 'wheelkiln doctor' looks at the engine; container.network = \"host\" helps where "
        "a rootless engine may not make a network.",
    ),
    (
        r"the container shell has exited",
        "the container ended in the middle of the job",
        "It was killed: by hand, by its engine, or because memory ran out (the kernel's log tells). The same command "
        "builds it again.",
    ),
    (
        r"Build failed because a pure Python wheel was generated",
        "the project makes a pure Python wheel (none-any), which serves every platform as it is",
        "There is nothing to compile for each Python: 'python -m build' makes that wheel. If extension modules were "
        "expected, their build was switched off or not found.",
    ),
    (
        r'required library "(?P<name>[^"]+)" could not be located',
        "auditwheel could not find a shared library that the wheel needs: {name}",
        "Lines beginning with 'wheelkiln-repair' say where it was looked for. Install what provides it with "
        "image.packages, name its directory in repair.library-dirs, or, when another package brings it at run "
        "time, put it in repair.exclude.",
    ),
    (
        r"couldn't detect libc for python extension (?P<name>\S+)",
        "auditwheel cannot place {name}: it uses nothing of the C library",
        "An extension module that does something needs the C library; is its source complete?",
    ),
    (
        r"too-recent versioned symbols",
        "the wheel uses symbols that are newer than the policy",
        'Choose a newer policy, or build on the base of that policy (image.base = "pypa").',
    ),
    (
        r"No space left on device",
        "a disk was full during the build",
        "Free some space for the container engine and the cache directory; see 'wheelkiln doctor'.",
    ),
    (
        r"fatal error: (?P<name>\S+): No such file or directory",
        "the compiler did not find a header: {name}",
        "If a system library provides it, name its development package in image.packages; if a Python package "
        "does, it belongs into build-system.requires.",
    ),
    (
        r"cannot find -l(?P<name>\S+)",
        "the linker did not find a library: {name}",
        "Name its development package in image.packages.",
    ),
    (
        r"(Failed to fetch|Could not connect|dns error|Temporary failure in name resolution|ConnectionError)",
        "the build could not reach the package index",
        "Check pip's configuration ('pip config list') and the network of containers; see 'wheelkiln doctor'.",
    ),
    (
        r"Hash mismatch for `(?P<name>[^`]+)`",
        "the file of a build requirement is not the one that the lock names: {name}",
        "Was it replaced on the index, or the lock damaged? 'wheelkiln lock --upgrade' takes what is there now.",
    ),
    (
        r"No solution found when resolving dependencies|No matching distribution found",
        "the build requirements could not be resolved",
        "The log names the requirement. Is there a release for this Python?",
    ),
    (
        r"(?:are you root\?|must be root|Permission denied|requires superuser)",
        "the build was refused something",
        'Builds run as an unprivileged user. Install packages by image.packages; container.user = "root" is the '
        "way out for a project that must write to the system.",
    ),
)


def explain_failure(lines: Sequence[str], stage: str, config: Config) -> tuple[str, str]:
    """Return what went wrong and what to do, as far as the log tells; stage is where it stopped."""
    text = "\n".join(lines)
    for pattern, message, hint in _EXPLANATIONS:
        match = re.search(pattern, text)
        if match:
            return message.format(**match.groupdict()), hint
    return f"failed while {_DOING.get(stage, 'starting the build')}", _general_hint(stage, config)


def _general_hint(stage: str, config: Config) -> str:
    if stage.startswith("before-"):
        return (
            f"The command is the project's own {stage} in [tool.cibuildwheel]. It may need files that are not in the "
            "sdist, root, or another distribution; '--project-settings ignore' builds without it, and image.packages "
            "installs system libraries."
        )
    if stage == "test":
        return "The project's own tests failed on the wheel; '--no-test' builds without them."
    if config.container.network == "none":
        return 'The container has no network (container.network = "none"): does the build need it?'
    return "The log has the whole output."


def relevant_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first lines that speak of an error, with what stands around them, then the last ones."""
    wanted: set[int] = set()
    for index, line in enumerate(lines):
        if len(wanted) >= _MOST:
            break
        if _ERROR.search(line) and not _NOISE.match(line):
            wanted |= set(range(max(0, index - _BEFORE), min(len(lines), index + _AFTER)))
    if not wanted:
        wanted = set(range(max(0, len(lines) - _LAST * 2), len(lines)))
    kept = [lines[index] for index in sorted(wanted)]
    return tuple([line for line in kept if line.strip() and not _NOISE.match(line)][:_MOST])


def lost_connection(lines: Sequence[str]) -> bool:
    """Tell from the end of a job's log whether its engine went away while it ran."""
    return any(_BROKEN.search(line) for line in lines[-_MOST:])
