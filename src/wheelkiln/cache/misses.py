"""Why one call missed, from the keys, arguments and remarks of this build's call and of the last build's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wheelkiln.cache.calls import Call
from wheelkiln.cache.causes import Cause
from wheelkiln.cache.inputs import InputDifference
from wheelkiln.cache.records import JobRecord
from wheelkiln.cache.units import compare_arguments, moved_directory

__all__ = ["Finding", "explain_miss"]

_TIME_MACRO = "Found __"
_MISMATCH = "Mismatch for "
_HASHES_DIRECTORY = "Hashing CWD "
_MOST_SHOWN = 6
_MOVING_PARTS = frozenset({"path", "cwd"})
_CAUSES_OF_PARTS = {
    "namespace": Cause.NAMESPACE_CHANGED,
    "compiler": Cause.COMPILER_CHANGED,
    "cc_name": Cause.COMPILER_CHANGED,
    "arg": Cause.FLAGS_CHANGED,
    "sourcecode hash": Cause.GENERATED_SOURCE,
}
"""What ccache calls the parts of what it hashes (its input texts)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with the input that differs; remedy where it depends on more than the cause."""

    cause: Cause
    detail: str = ""
    remedy: str = ""


def explain_miss(
    before: Call | None,
    after: Call,
    previous: JobRecord,
    latest: JobRecord,
    difference: InputDifference | None = None,
) -> Iterator[Finding]:
    """Yield every input that is known to differ; where none is, what the keys tell.

    Each input that differs makes a miss by itself, so all of them are told. difference is the first one between all
    that ccache hashed, where that is known.
    """
    if before is None:
        yield Finding(Cause.SOURCE_CHANGED if _other_source(previous, latest) else Cause.NEW_UNIT)
        return
    if not after.command:
        yield Finding(Cause.UNKNOWN, "a statistics log has no keys", "Let ccache write its own log: CCACHE_LOGFILE.")
        return
    differing = [*_inputs(before, after, previous, latest)]
    yield from differing or [_by_keys(before, after, previous, latest, difference)]


def _inputs(before: Call, after: Call, previous: JobRecord, latest: JobRecord) -> Iterator[Finding]:
    if before.namespace != after.namespace:
        yield Finding(Cause.NAMESPACE_CHANGED, _change(before.namespace, after.namespace))
    yield from _compiler(before, after, previous, latest)
    difference = compare_arguments(before.command[1:], after.command[1:])
    for moved in difference.moved:
        cause = Cause.RANDOM_ENVIRONMENT if moved.environment else Cause.RANDOM_BUILD_DIRECTORY
        yield Finding(cause, _change(moved.before, moved.after))
    if difference.flags:
        yield Finding(Cause.FLAGS_CHANGED, _flags(difference.removed, difference.added))
    if before.directory != after.directory and any(text.startswith(_HASHES_DIRECTORY) for text in after.remarks):
        moved_here = moved_directory(before.directory, after.directory)
        if moved_here is None or moved_here not in difference.moved:
            yield Finding(Cause.RANDOM_BUILD_DIRECTORY, _change(before.directory, after.directory))


def _compiler(before: Call, after: Call, previous: JobRecord, latest: JobRecord) -> Iterator[Finding]:
    if before.compiler and after.compiler and before.compiler != after.compiler:
        yield Finding(Cause.COMPILER_CHANGED, _change(before.compiler, after.compiler))
    elif previous.toolchain and latest.toolchain and previous.toolchain != latest.toolchain:
        yield Finding(Cause.COMPILER_CHANGED, _change(previous.toolchain, latest.toolchain))


def _by_keys(
    before: Call, after: Call, previous: JobRecord, latest: JobRecord, difference: InputDifference | None
) -> Finding:
    """Judge by the keys where no input that is logged differs.

    An equal result key means that the entry itself is missing. An equal manifest key with another result key means that
    an included file differs: the key covers all else. Other manifest keys mean that the source's own text differs, or
    what the compiler says of itself.
    """
    if after.result_key and before.result_key == after.result_key:
        return _entry_gone(before, after, previous, latest)
    macros = sorted({text for call in (before, after) for text in call.remarks if text.startswith(_TIME_MACRO)})
    if macros:
        return Finding(Cause.TIME_MACRO, _macro_detail(macros, previous, latest))
    if difference is not None:
        return _by_difference(difference, after)
    mismatch = next((text for text in after.remarks if text.startswith(_MISMATCH)), "")
    file = mismatch.removeprefix(_MISMATCH).partition(": ")[0]
    known = bool(before.manifest_key and after.manifest_key)
    return _other_text(file, previous, latest, header=known and before.manifest_key == after.manifest_key, known=known)


def _by_difference(difference: InputDifference, after: Call) -> Finding:
    where = f"{difference.file}: " if difference.part == "cpp" else f"{difference.part}: "
    detail = where + _change(difference.before, difference.after)
    if difference.part == "cpp":
        inside = difference.file == after.source
        return Finding(Cause.GENERATED_SOURCE if inside else Cause.GENERATED_HEADER, detail)
    if difference.part in _MOVING_PARTS:
        moved = moved_directory(difference.before, difference.after)
        return Finding(
            Cause.RANDOM_ENVIRONMENT if moved and moved.environment else Cause.RANDOM_BUILD_DIRECTORY, detail
        )
    return Finding(_CAUSES_OF_PARTS.get(difference.part, Cause.UNKNOWN), detail)


def _entry_gone(before: Call, after: Call, previous: JobRecord, latest: JobRecord) -> Finding:
    if not before.hit and after.result_key not in before.stored:
        reasons = [text for text in before.remarks if text.startswith(("Failed", "Not storing", "Read-only"))]
        return Finding(Cause.NOT_STORED, reasons[-1] if reasons else "")
    size = latest.store.kibibytes
    limit = latest.log.setting("max_size")
    if latest.store.cleanups > previous.store.cleanups or previous.log.cleanups or latest.log.cleanups:
        holds = f"the cache holds {size / 1024:.1f} MiB, " if size else ""
        return Finding(Cause.EVICTED, f"{holds}the limit is {limit or 'not known'}")
    if _directory(previous) != _directory(latest):
        return Finding(Cause.CACHE_LOST, _change(_directory(previous), _directory(latest)))
    return Finding(Cause.CACHE_LOST, "the key is that of the last build, which stored or found the entry")


def _other_text(file: str, previous: JobRecord, latest: JobRecord, *, header: bool, known: bool) -> Finding:
    """Tell what made a unit's text another one; file is its name where ccache logged it, known that keys tell which."""
    if _other_source(previous, latest):
        return Finding(Cause.SOURCE_CHANGED)
    if previous.requirements != latest.requirements:
        changed = sorted({*latest.requirements} - {*previous.requirements})
        return Finding(Cause.REQUIREMENTS_CHANGED, _shorten(changed))
    if previous.image != latest.image:
        return Finding(Cause.IMAGE_CHANGED, _change(previous.image, latest.image))
    if header:
        return Finding(Cause.GENERATED_HEADER, file or "arguments, compiler and the sources' own text are equal")
    if known:
        same = ", and so is the sdist" if previous.source else ""
        return Finding(Cause.GENERATED_SOURCE, f"arguments and compiler are equal{same}; the sources' own text is not")
    return Finding(Cause.UNKNOWN)


def _macro_detail(macros: list[str], previous: JobRecord, latest: JobRecord) -> str:
    names = sorted({macro.split()[1] for macro in macros})
    files = sorted({macro.partition(" in ")[2] for macro in macros})
    told = f"{', '.join(names)} in {_shorten(files)}"
    if previous.epoch and previous.epoch != latest.epoch:
        return f"{told}; SOURCE_DATE_EPOCH {_change(str(previous.epoch), str(latest.epoch))}"
    return told


def _other_source(previous: JobRecord, latest: JobRecord) -> bool:
    return bool(previous.source and latest.source and previous.source != latest.source)


def _directory(record: JobRecord) -> str:
    return record.log.setting("cache_dir")


def _flags(removed: tuple[str, ...], added: tuple[str, ...]) -> str:
    told = [f"removed {_shorten(removed)}" if removed else "", f"added {_shorten(added)}" if added else ""]
    return "; ".join(part for part in told if part) or "the same in another order"


def _shorten(words: list[str] | tuple[str, ...]) -> str:
    shown = " ".join(words[:_MOST_SHOWN])
    return f"{shown} and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else shown


def _change(before: str, after: str) -> str:
    return f"{before or '(none)'} -> {after or '(none)'}"
