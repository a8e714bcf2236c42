"""ccache's log (CCACHE_LOGFILE), read into one compact value for each call of a compiler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wheelkiln.cache.statistics import CompileCall
from wheelkiln.system.process import mask_secrets

__all__ = ["Call", "CallLog", "is_call_log", "parse_call_log"]

_LINE = re.compile(r"\[[^\]\s]+ +(?P<pid>\d+) *\] (?P<text>.*)")
_STARTED = re.compile(r"=== CCACHE (?P<version>\S+) STARTED ===")
_SETTING = re.compile(r"Config: \([^)]*\) (?P<key>\w+) = (?P<value>.*)")
_ABSENT = re.compile(r"No (?P<key>\w+) in local storage")
_STORED = re.compile(r"Stored (?P<key>\w+) in local storage")
_EXECUTING = re.compile(r"Executing (?:compiler check command )?(?P<program>\S+)")
_REMARK = re.compile(
    r"Found __(?:DATE|TIME|TIMESTAMP)__ in |Include file .* too new|Mismatch for |Hashing CWD |Hashing apparent CWD "
    r"|Detected (?:use of precompiled header|system dependent argument)|Compiler option .* is unsupported"
    r"|Unsupported |Failed to (?!open inode cache)|Not storing |Multiple |Read-only |Compiler gave exit status|Redis "
    r"|Could not "
)
_CLEANED = "Cleaned up cache directory"
_PREFIX = "Using command-line prefix "
_INPUT = "Detected input file: "
_SOURCE = re.compile(r"[^-].*\.(?:c|cc|cp|cpp|cxx|c\+\+|C|m|mm|i|ii|s|S|cu)")
_FELL_BACK = "Failed; falling back to running the real compiler"
_KEPT_SETTINGS = frozenset(
    {"base_dir", "cache_dir", "compiler_check", "direct_mode", "hash_dir", "max_size", "namespace", "sloppiness"}
)
_MAX_ARGUMENT = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a compiler through ccache.

    command is the compiler as it was called and its arguments, split at blanks, because older versions of ccache do
    not quote. compiler is the program that ccache found behind that name. The manifest key stands for command,
    compiler, namespace and the source's own text; the result key for the preprocessed text instead of it (ccache
    manual: how ccache works), and either is empty when ccache did not compute it. absent are the keys that were asked
    for and not in the local storage. remarks are what ccache said of the call that explains it.
    """

    source: str
    output: str
    compiler: str
    command: tuple[str, ...]
    directory: str
    namespace: str
    manifest_key: str
    result_key: str
    results: tuple[str, ...]
    absent: tuple[str, ...] = ()
    stored: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def counted(self) -> CompileCall:
        """The call as the statistics count it: hit, miss, reason, probe."""
        return CompileCall(self.source, self.results)

    @property
    def hit(self) -> bool:
        return self.counted.hit

    @property
    def miss(self) -> bool:
        return self.counted.miss

    @property
    def is_probe(self) -> bool:
        return self.counted.is_probe


@dataclass(frozen=True, slots=True)
class CallLog:
    """A whole log: ccache's version, the settings that decide hits, the calls, and how often it cleaned up."""

    version: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    calls: tuple[Call, ...] = ()
    cleanups: int = 0

    def setting(self, name: str) -> str:
        return dict(self.settings).get(name, "")


@dataclass
class _Open:
    """A call whose lines are still being read."""

    fields: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    last: str = ""

    def read(self, text: str) -> None:
        label, separator, value = text.partition(": ")
        if separator and label in _FIELDS:
            self.fields[_FIELDS[label]] = value
        elif text.startswith("Result: "):
            self.results.append(value)
        elif text.startswith(_INPUT):
            self.fields.setdefault("input", text.removeprefix(_INPUT))
        elif text == _FELL_BACK:
            self.remarks.append(self.last)
        elif _REMARK.match(text):
            self.remarks.append(text)
        else:
            self._read_storage(text)
        if not text.startswith((_INPUT, _PREFIX)):
            self.last = text

    def _read_storage(self, text: str) -> None:
        if absent := _ABSENT.match(text):
            self.absent.append(absent["key"])
        elif stored := _STORED.match(text):
            self.stored.append(stored["key"])
        elif "compiler" not in self.fields and (executed := _EXECUTING.match(text)):
            self.fields["compiler"] = executed["program"]

    def close(self) -> Call:
        words = mask_secrets(self.fields.get("command", "")).split()
        if words and words[0].rpartition("/")[2] == "ccache":
            words = words[1:]
        return Call(
            source=self.fields.get("source") or self.fields.get("input") or _source_among(words),
            output=self.fields.get("output", ""),
            compiler=self.fields.get("compiler", ""),
            command=tuple(word[:_MAX_ARGUMENT] for word in words),
            directory=self.fields.get("directory", ""),
            namespace=self.settings.get("namespace", ""),
            manifest_key=self.fields.get("manifest_key", ""),
            result_key=self.fields.get("result_key", ""),
            results=tuple(self.results),
            absent=tuple(self.absent),
            stored=tuple(self.stored),
            remarks=tuple(dict.fromkeys(mask_secrets(remark) for remark in self.remarks)),
        )


_FIELDS = {
    "Command line": "command",
    "Working directory": "directory",
    "Compiler": "compiler",
    "Source file": "source",
    "Object file": "output",
    "Manifest key": "manifest_key",
    "Result key": "result_key",
}


def _source_among(words: list[str]) -> str:
    """Name the source of a call that ccache gave up before it knew one."""
    return next((word for word in words[1:] if _SOURCE.fullmatch(word)), "")


def is_call_log(line: str) -> bool:
    """Tell whether a file's first line is that of a log which ccache wrote."""
    return _LINE.match(line) is not None


def parse_call_log(lines: Iterable[str]) -> CallLog:
    """Read a log in which calls that ran side by side are interleaved; each line carries its process's number.

    Calls come in the order in which they began. One without a result, because it was killed, is dropped; so is
    ``ccache`` itself when it was called with options of its own.
    """
    calls: list[_Open] = []
    running: dict[str, _Open] = {}
    version, settings, cleanups = "", {}, 0
    for line in lines:
        matched = _LINE.match(line.rstrip("\r\n"))
        if matched is None:
            continue
        pid, text = matched["pid"], matched["text"]
        if started := _STARTED.match(text):
            version = started["version"]
            running[pid] = _Open()
            calls.append(running[pid])
        elif pid not in running:
            continue
        elif setting := _SETTING.match(text):
            if setting["key"] in _KEPT_SETTINGS:
                running[pid].settings[setting["key"]] = setting["value"]
                settings[setting["key"]] = setting["value"]
        else:
            cleanups += text.startswith(_CLEANED)
            running[pid].read(text)
    finished = tuple(call.close() for call in calls if call.results)
    return CallLog(version, tuple(sorted(settings.items())), finished, cleanups)
