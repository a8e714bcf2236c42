"""Whatever lies under a wheel's name is read or refused, never a crash; what is accepted, others read alike."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import Answer, FakeRunner
from tests.hostile_wheels import NAME, Entry, make_elf, wheel_bytes, wheel_entries
from wheelkiln.report.findings import findings_table, findings_text
from wheelkiln.report.sarif import sarif_log
from wheelkiln.verify.archive import check_archive, open_archive
from wheelkiln.verify.checks import CheckedWheel, Expectation, check_wheel
from wheelkiln.verify.elf import BadElfError, read_elf
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.record_file import BadRecordError, read_record
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.zip_model import Limits, ZipFaultError

_ELF = make_elf(search=b"$ORIGIN/../kern.libs", needed=b"libz-0123abcd.so.1")
_GOOD = wheel_bytes(wheel_entries({"kern/k.so": _ELF}))
_STREAMED = io.BytesIO()
with zipfile.ZipFile(_STREAMED, "w", zipfile.ZIP_DEFLATED) as _archive:
    for _entry in wheel_entries({"kern/a.py": b"x" * 2000}):
        with _archive.open(_entry.name.decode(), "w", force_zip64=True) as _member:
            _member.write(_entry.content)
_WHEELS = (_GOOD, _STREAMED.getvalue())
_EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4
)


def _edit(content: bytes, edits: list[tuple[float, bytes]]) -> bytes:
    changed = bytearray(content)
    for where, piece in edits:
        place = int(where * len(content))
        changed[place : place + len(piece)] = piece
    return bytes(changed)


def _check(content: bytes) -> tuple[Finding, ...]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / NAME
        path.write_bytes(content)
        return check_wheel(path, Expectation(), FakeRunner({"python -m wheelkiln.verify.description": Answer("no", 1)}))


@given(st.sampled_from(_WHEELS), _EDITS)
def test_a_changed_wheel_is_no_crash(wheel: bytes, edits: list[tuple[float, bytes]]) -> None:
    assert {finding.code for finding in _check(_edit(wheel, edits))} <= RULES.keys()


@given(st.binary(max_size=200))
def test_any_bytes_are_no_wheel(content: bytes) -> None:
    assert [finding.severity for finding in _check(content)] == [Severity.ERROR]


@given(st.sampled_from(_WHEELS), _EDITS)
def test_what_is_accepted_is_read_alike_by_others(wheel: bytes, edits: list[tuple[float, bytes]]) -> None:
    content = _edit(wheel, edits)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / NAME
        path.write_bytes(content)
        try:
            with open_archive(path, Limits()) as archive:
                if any(RULES[finding.code].fixed for finding in check_archive(archive)):
                    return
                ours = {name: archive.read(member, 1 << 20) for name, member in archive.members.items()}
        except ZipFaultError:
            return
    with zipfile.ZipFile(io.BytesIO(content)) as other:
        assert {name: other.read(name) for name in other.namelist()} == ours


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=200))
def test_any_metadata(metadata: str, wheel: str, record: str) -> None:
    texts = {"METADATA": metadata, "WHEEL": wheel, "RECORD": record}
    encoded = {name: text.encode("utf-8", errors="replace").decode() for name, text in texts.items()}
    assert {finding.code for finding in _check(wheel_bytes(wheel_entries(None, **encoded)))} <= RULES.keys()


_FIELDS = ("Name", "Version", "Requires-Python", "License-File", "Metadata-Version", "Description-Content-Type", "Tag")


@given(st.lists(st.tuples(st.sampled_from(_FIELDS), st.text(max_size=30)), max_size=6), st.text(max_size=50))
def test_any_values_of_known_fields(fields: list[tuple[str, str]], body: str) -> None:
    text = "".join(f"{name}: {value}\n" for name, value in fields) + "\n" + body
    clean = text.encode("utf-8", errors="replace").decode()
    assert {finding.code for finding in _check(wheel_bytes(wheel_entries(METADATA=clean, WHEEL=clean)))} <= RULES.keys()


@given(st.binary(min_size=1, max_size=40))
def test_any_name_of_a_member(name: bytes) -> None:
    assert _check(wheel_bytes([*wheel_entries(), Entry(name, b"x")])) != ()


@given(st.text(max_size=200))
def test_any_record(text: str) -> None:
    try:
        rows = read_record(text)
    except BadRecordError:
        return
    assert all(row.algorithm in row.digest for row in rows)


@given(_EDITS, st.integers(0, len(_ELF)))
def test_any_elf_file(edits: list[tuple[float, bytes]], size: int) -> None:
    content = _edit(_ELF, edits)[:size]
    if not content:
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            elf = read_elf("k.so", file.fileno())
        except BadElfError:
            return
    assert all("\0" not in text for text in (elf.soname, *elf.needed, *elf.search))


def _object(required: str, **properties: Any) -> dict[str, Any]:
    """What SARIF 2.1.0 says of an object, as far as we write it; nothing else may be there."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_INDEX = {"type": "integer", "minimum": 0}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_URI = {"type": "string", "pattern": r"^[!#-;=?-\[\]_a-z~]*$"}
_MESSAGE = _object("text", text={"type": "string", "minLength": 1})
_SARIF = _object(
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}},
    runs=_list(
        _object(
            "tool",
            tool=_object(
                "driver",
                driver=_object(
                    "name",
                    name=_TEXT,
                    version=_TEXT,
                    rules=_list(
                        _object(
                            "id",
                            id=_TEXT,
                            shortDescription=_MESSAGE,
                            fullDescription=_MESSAGE,
                            help=_MESSAGE,
                            helpUri={**_URI, "pattern": "^https://"},
                            defaultConfiguration=_object("", level=_LEVEL),
                            properties={
                                "type": "object",
                                "properties": {"tags": {**_list(_TEXT), "uniqueItems": True}},
                            },
                        )
                    ),
                ),
            ),
            artifacts={**_list(_object("", location=_object("", uri=_URI))), "uniqueItems": True},
            results=_list(
                _object(
                    "message",
                    ruleId=_TEXT,
                    ruleIndex=_INDEX,
                    level=_LEVEL,
                    message=_MESSAGE,
                    locations=_list(
                        _object("", physicalLocation=_object("", artifactLocation=_object("", uri=_URI, index=_INDEX)))
                    ),
                )
            ),
        )
    ),
)
_VALIDATOR = jsonschema.Draft202012Validator(_SARIF)
_FINDINGS = st.builds(
    Finding, st.sampled_from(sorted(RULES)), st.sampled_from(Severity), st.text(), st.text(), st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
)  # fmt: skip
_NAMES = st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=20)
_CHECKED = st.lists(
    st.builds(CheckedWheel, _NAMES.map(Path), st.lists(_FINDINGS, max_size=3).map(tuple)),
    max_size=3,
    unique_by=lambda wheel: wheel.path,
)


@given(_CHECKED, st.sampled_from(["", "https://kiln.example/x"]))
def test_sarif_keeps_to_its_format(wheels: list[CheckedWheel], address: str) -> None:
    log = sarif_log(wheels, version="0.1.0", documentation=address)
    _VALIDATOR.validate(log)
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


@given(_CHECKED, st.integers(1, 220))
def test_text_has_nothing_that_a_terminal_obeys(wheels: list[CheckedWheel], width: int) -> None:
    for line in findings_text(wheels, width):
        assert (line.mark + line.text).isprintable() or "\t" in line.text
    assert len(findings_table(wheels)["wheels"]) == len(wheels)
