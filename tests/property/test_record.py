"""A record round-trips, and whatever else stands in its place is refused as what it is."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.values import make_record
from wheelkiln.errors import VerificationError
from wheelkiln.source.origin import ChangedText, EditionChanges
from wheelkiln.verify.record import Record, RecordedEdition, parse_record, write_record_text

_LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TOML = st.recursive(
    st.booleans() | st.integers(-9, 9) | _LINES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_LINES, inner, max_size=3),
    max_leaves=6,
)
_JSON = st.none() | _TOML


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Records with any texts and tables in them."""
    record = make_record()
    patches = tuple(ChangedText.of(f"{number}.patch", draw(st.binary(max_size=30))) for number in range(2))
    edition = RecordedEdition("c" * 64, EditionChanges(description=draw(_LINES), patches=patches))
    table = draw(st.dictionaries(_LINES, _TOML, max_size=3))
    build = replace(record.build, configuration=table, variables={"CIBW_X": draw(_LINES)})
    return replace(record, edition=edition, build=build)


@given(records())
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    text = write_record_text(record)
    assert parse_record(text, where="x") == record
    assert write_record_text(parse_record(text.encode(), where="x")) == text


@given(st.binary(max_size=40))
def test_a_file_is_told_so_that_its_bytes_come_back(content: bytes) -> None:
    assert ChangedText.of("x", content).content == content


@given(st.sampled_from(sorted(json.loads(write_record_text(make_record())))), _JSON)
def test_anything_in_a_place_is_read_or_refused(name: str, value: object) -> None:
    table = json.loads(write_record_text(make_record())) | {name: value}
    try:
        parse_record(json.dumps(table), where="x")
    except VerificationError as error:
        told = error.message
    else:
        return
    assert told.startswith("the record of x cannot be used")
