"""Why calls missed: pure judgement of a job's latest compile calls, beside those of the build before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from wheelkiln.cache.calls import Call
from wheelkiln.cache.causes import EXPLANATIONS, Cause, Diagnosis, Weight
from wheelkiln.cache.inputs import InputDifference
from wheelkiln.cache.misses import Finding, explain_miss
from wheelkiln.cache.records import JobRecord, read_latest_record, read_previous_record
from wheelkiln.cache.units import pair_calls, steady_path

__all__ = ["diagnose", "diagnose_job", "make_diagnoses"]

_NATIVE = frozenset({"-march=native", "-mtune=native", "-mcpu=native"})
_NO_COMPILATION = frozenset(
    {"called_for_link", "called_for_preprocessing", "no_input_file", "disabled", "autoconf_test"}
)
_COMPILER_FAILED = frozenset({"compile_failed", "preprocessor_error"})
"""Results of calls that a build or a configure step got an error from: nothing that a cache could mend."""
_ORDER = {Weight.FAULT: 0, Weight.RISK: 1, Weight.EXPECTED: 2}


def diagnose_job(cache_root: Path, project: str, job: str) -> tuple[Diagnosis, ...]:
    """Diagnose the last build of a job from the records in the cache directory; nothing when there is none.

    It reads two small files and starts nothing, so that a build's gate can call it.
    """
    latest = read_latest_record(cache_root, project, job)
    return diagnose(latest, read_previous_record(cache_root, project, job)) if latest else ()


def diagnose(
    latest: JobRecord, previous: JobRecord | None = None, differences: Mapping[str, InputDifference] | None = None
) -> tuple[Diagnosis, ...]:
    """Return why the latest build's calls missed, faults first; and what is wrong or dangerous besides.

    Nothing is returned for a build in which every compilation was served. Without a previous build, only what one
    build shows by itself is told. differences are those of all that ccache hashed, by the place of the object file.
    """
    findings = [
        *_misses(latest, previous, differences or {}),
        *_around(latest, previous),
        *_uncacheable(latest),
        *_native(latest),
    ]
    return make_diagnoses(findings)


def make_diagnoses(findings: list[tuple[Finding, str]]) -> tuple[Diagnosis, ...]:
    """Put the units of equal findings together."""
    units: defaultdict[Finding, dict[str, None]] = defaultdict(dict)
    for finding, unit in findings:
        units[finding][unit] = None
    made = [_make_diagnosis(finding, tuple(unit for unit in names if unit)) for finding, names in units.items()]
    return tuple(sorted(made, key=lambda diagnosis: (_ORDER[diagnosis.weight], -len(diagnosis.units))))


def _make_diagnosis(finding: Finding, units: tuple[str, ...]) -> Diagnosis:
    explained = EXPLANATIONS[finding.cause]
    remedy = finding.remedy or explained.remedy
    return Diagnosis(finding.cause, explained.weight, explained.title, units, finding.detail, remedy)


def _misses(
    latest: JobRecord, previous: JobRecord | None, differences: Mapping[str, InputDifference]
) -> Iterator[tuple[Finding, str]]:
    missed = {id(call) for call in latest.compilations if call.miss}
    if not missed:
        return
    if previous is None or not previous.compilations:
        yield Finding(Cause.FIRST_BUILD), ""
        return
    for before, after in pair_calls(previous.compilations, latest.compilations):
        if id(after) in missed:
            difference = differences.get(_place(after))
            for finding in explain_miss(before, after, previous, latest, difference):
                yield finding, after.source


def _place(call: Call) -> str:
    """The object file's place as the debug directory has it."""
    return steady_path(str(PurePosixPath(call.directory) / call.output).lstrip("/"))


def _around(latest: JobRecord, previous: JobRecord | None) -> Iterator[tuple[Finding, str]]:
    """Compilations that ccache did not hear of: shown by the build's output, or missed beside the earlier build."""
    for source in latest.bypassed:
        yield Finding(Cause.LAUNCHER_NOT_REACHED, "the build's output shows an absolute path before them"), source
    if not latest.built or latest.bypassed:
        return
    if not any(_is_compilation(call) for call in latest.calls):
        detail = "a wheel for one platform was built, and ccache was asked for no compilation"
        yield Finding(Cause.LAUNCHER_NOT_REACHED, f"{detail}; or its compiler is not one for C and C++"), ""
    elif previous is not None and previous.source == latest.source and previous.built:
        seen = {steady_path(call.source) for call in latest.calls}
        for call in previous.compilations:
            if steady_path(call.source) not in seen:
                detail = "the last build of the same source compiled them through ccache, this one did not"
                yield Finding(Cause.LAUNCHER_NOT_REACHED, detail), call.source


def _is_compilation(call: Call) -> bool:
    return not call.is_probe and not _NO_COMPILATION.intersection(call.results)


def _uncacheable(latest: JobRecord) -> Iterator[tuple[Finding, str]]:
    for call in latest.calls:
        if call.hit or call.miss or not _is_compilation(call) or _COMPILER_FAILED.intersection(call.results):
            continue
        said = f": {call.remarks[-1]}" if call.remarks else ""
        said = said.replace(call.source, "SOURCE") if call.source else said
        remedy = _REMEDIES.get(call.counted.reason, "")
        yield Finding(Cause.UNCACHEABLE, f"{call.counted.reason}{said}", remedy), call.source


_REMEDIES = {
    "multiple_source_files": "Compile one source file a call.",
    "output_to_stdout": "Let the compiler write to a file.",
    "could_not_use_precompiled_header": "Build without precompiled headers, or see 'Precompiled headers' in ccache's "
    "manual.",
    "unsupported_code_directive": "The source has .incbin or #embed, whose file ccache does not see. Keep it in one "
    "small file.",
    "could_not_use_modules": "C++ modules need ccache's depend mode: see 'C++ modules' in its manual.",
    "unsupported_source_language": "ccache caches C, C++, Objective-C, CUDA and assembler only.",
    "bad_output_file": "ccache could not write the object file: is the disk full?",
    "internal_error": "Something went wrong in ccache itself: is the disk full, or the cache directory damaged?",
    "missing_cache_file": "A file of the cache vanished while it was read: did another job clean up?",
}


def _native(latest: JobRecord) -> Iterator[tuple[Finding, str]]:
    for call in latest.compilations:
        flags = sorted(_NATIVE.intersection(call.command))
        if flags:
            yield Finding(Cause.NATIVE_CODE, " ".join(flags)), call.source
