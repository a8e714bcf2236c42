"""The causes of missed hits: stable codes, what they are called, what to do about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EXPLANATIONS", "Cause", "Diagnosis", "Weight"]


class Cause(StrEnum):
    """Why the cache did not serve a call. The values are stable: programs may compare them."""

    RANDOM_ENVIRONMENT = "random-environment"
    RANDOM_BUILD_DIRECTORY = "random-build-directory"
    NAMESPACE_CHANGED = "namespace-changed"
    COMPILER_CHANGED = "compiler-changed"
    IMAGE_CHANGED = "image-changed"
    FLAGS_CHANGED = "flags-changed"
    TIME_MACRO = "time-macro"
    GENERATED_HEADER = "generated-header"
    GENERATED_SOURCE = "generated-source"
    EVICTED = "evicted"
    CACHE_LOST = "cache-lost"
    NOT_STORED = "not-stored"
    LAUNCHER_NOT_REACHED = "launcher-not-reached"
    UNCACHEABLE = "uncacheable"
    NATIVE_CODE = "native-code"
    SOURCE_CHANGED = "source-changed"
    REQUIREMENTS_CHANGED = "requirements-changed"
    NEW_UNIT = "new-unit"
    FIRST_BUILD = "first-build"
    UNKNOWN = "unknown"


class Weight(StrEnum):
    """fault: the cache could have served it. expected: other text had to be compiled. risk: a hit may be wrong."""

    FAULT = "fault"
    EXPECTED = "expected"
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause, the translation units that it cost, the input that differs, and what to do."""

    cause: Cause
    weight: Weight
    title: str
    units: tuple[str, ...]
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is always the same of a cause."""

    weight: Weight
    title: str
    remedy: str


EXPLANATIONS = {
    Cause.RANDOM_ENVIRONMENT: Explanation(
        Weight.FAULT,
        "the build environment lies at a random path",
        "Build with wheelkiln, which has it at a fixed path. Elsewhere give 'build' --env-dir, or install the build "
        "requirements first and build without isolation. A project that makes an environment of its own needs a fixed "
        "directory for it.",
    ),
    Cause.RANDOM_BUILD_DIRECTORY: Explanation(
        Weight.FAULT,
        "the build directory has a random name",
        "Give the backend a fixed one: build-dir in [tool.scikit-build] or in meson-python's config-settings; in other "
        "scripts, no tempfile.",
    ),
    Cause.NAMESPACE_CHANGED: Explanation(
        Weight.FAULT,
        "ccache's namespace changed",
        "Entries of one namespace do not serve another. Keep the project's name, the architecture and the variant, or "
        "CCACHE_NAMESPACE where you set it; the next build hits again.",
    ),
    Cause.COMPILER_CHANGED: Explanation(
        Weight.EXPECTED,
        "the compiler changed",
        "Another compiler needs its own objects, so this is right once. Pin the image by digest, and see what changed "
        "with 'wheelkiln image inspect'.",
    ),
    Cause.IMAGE_CHANGED: Explanation(
        Weight.EXPECTED,
        "the image changed, and with it the compiler or the system's headers",
        "This is right once. Pin the base by digest to decide when it happens.",
    ),
    Cause.FLAGS_CHANGED: Explanation(
        Weight.FAULT,
        "the compiler's flags changed",
        "Keep what differs from build to build (times, versions, build numbers, paths) out of flags: put it into one "
        "small source file.",
    ),
    Cause.TIME_MACRO: Explanation(
        Weight.FAULT,
        "the code uses __DATE__, __TIME__ or __TIMESTAMP__",
        "Remove the macro, or keep it in one small file. SOURCE_DATE_EPOCH fixes date and time, but each commit has "
        "another; and it does not fix the __TIMESTAMP__ of a file.",
    ),
    Cause.GENERATED_HEADER: Explanation(
        Weight.FAULT,
        "a header that the build makes has another content each time",
        "Find what writes it: usually a time, a host name or a build number. Write it from SOURCE_DATE_EPOCH, or "
        "include it in one small file only. --run names the header and the line.",
    ),
    Cause.GENERATED_SOURCE: Explanation(
        Weight.FAULT,
        "a source file that the build makes has another content each time",
        "Find what writes it, and leave times, paths and random names out. --run names the line.",
    ),
    Cause.EVICTED: Explanation(
        Weight.FAULT,
        "the cache is too small: entries were removed to make room",
        "Raise [tool.wheelkiln.cache] max-size, or give the project a cache of its own with --cache-dir.",
    ),
    Cause.CACHE_LOST: Explanation(
        Weight.FAULT,
        "the entries are gone, and ccache did not remove them for space",
        "Look at what keeps the cache between builds: a CI cache that was not restored or not saved, another "
        "--cache-dir, or somebody who emptied it.",
    ),
    Cause.NOT_STORED: Explanation(
        Weight.FAULT,
        "the last build could not keep what it compiled",
        "Is the disk full, the cache read-only, or owned by another user? The lines above are ccache's own.",
    ),
    Cause.LAUNCHER_NOT_REACHED: Explanation(
        Weight.FAULT,
        "the compiler was called around ccache",
        "Call the compiler by its name, not by an absolute path (CC, CXX, CMAKE_C_COMPILER), and leave PATH as it is: "
        "the first compilers on it are links to ccache.",
    ),
    Cause.UNCACHEABLE: Explanation(
        Weight.FAULT,
        "ccache cannot cache these calls",
        "See ccache's manual, 'Cache statistics', for the reason.",
    ),
    Cause.NATIVE_CODE: Explanation(
        Weight.RISK,
        "-march=native, -mtune=native or -mcpu=native",
        "Never share such objects and never publish such wheels: the code is for the building machine's CPU, and "
        "ccache before 4.12 has one key for all CPUs, so that another machine is served instructions that it may not "
        "have. Name a level, such as -march=x86-64-v3.",
    ),
    Cause.SOURCE_CHANGED: Explanation(
        Weight.EXPECTED,
        "the source changed",
        "Nothing, where you changed it. Where you did not, making the sdist writes something else each time.",
    ),
    Cause.REQUIREMENTS_CHANGED: Explanation(
        Weight.EXPECTED,
        "build requirements changed, and their headers with them",
        "Pin them: 'wheelkiln lock' decides when they change.",
    ),
    Cause.NEW_UNIT: Explanation(
        Weight.EXPECTED, "the last build did not compile these", "Nothing: the next build finds them."
    ),
    Cause.FIRST_BUILD: Explanation(
        Weight.EXPECTED,
        "no earlier build is known to compare with",
        "Build once more, or use --run to build twice now.",
    ),
    Cause.UNKNOWN: Explanation(
        Weight.FAULT,
        "the keys differ, and the inputs that ccache logs are equal",
        "Use --run: it builds twice and compares everything that ccache hashed.",
    ),
}
