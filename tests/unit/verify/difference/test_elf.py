from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence

import pytest

from tests.elf_files import make_elf
from wheelkiln.verify.difference.causes import find_causes
from wheelkiln.verify.difference.elf import NotElfError, compare_elf
from wheelkiln.verify.difference.model import Cause, Difference, MemberDifference

_A, _B, _LONGER = ("a", b"\x31\xc0\xc3"), ("b", b"\x31\xdb\xc3"), ("b", b"\x31\xdb\x90\xc3")
Functions = Sequence[tuple[str, bytes]]


def _compare(one: bytes, other: bytes) -> tuple[Difference, ...]:
    return compare_elf(io.BytesIO(one), io.BytesIO(other))


def _cause(one: bytes, other: bytes) -> Cause:
    return find_causes((), (MemberDifference("k.so", differences=_compare(one, other)),))[0].cause


@pytest.mark.parametrize(
    ("section", "one", "other", "cause"),
    [
        (".rodata", b"\0Nov 24 2026\x0010:11:12\0", b"\0Nov 24 2026\x0010:19:12\0", Cause.TIMESTAMP),
        (".rodata", b"\0/tmp/build-a1/k.c\0", b"\0/tmp/build-b2/k.c\0", Cause.PATH),
        (".rodata", b"\0Cython 3.0.11 wrapper\0", b"\0Cython 3.1.2 wrapper\0", Cause.REQUIREMENT),
        (".rodata", b"\0alpha beta\0gamma delta\0", b"\0gamma delta\0alpha beta\0", Cause.PARALLEL_ORDER),
        (".rodata", bytes(range(0, 20, 2)), bytes(range(128, 148, 2)), Cause.RANDOM),
        (".data", struct.pack("<Q", 1_700_000_000), struct.pack("<Q", 1_700_009_999), Cause.TIMESTAMP),
        (".comment", b"GCC: (Debian 12.2.0-14) 12.2.0\0", b"GCC: (GNU) 14.2.1\0", Cause.COMPILER),
        (".debug_str", b"GNU C17 12.2.0 -O2 -g\0", b"GNU C17 12.2.0 -O3 -g\0", Cause.FLAGS),
        (".debug_str", b"GNU C17 12.2.0 -O2 -g\0", b"GNU C17 14.2.1 -O2 -g\0", Cause.COMPILER),
        (".debug_str", b"GNU C17 12 -march=x86-64\0", b"GNU C17 12 --param=l1-cache-size=48\0", Cause.CPU_NATIVE),
        (".debug_line_str", b"/project/build-x/k.c\0", b"/project/build-y/k.c\0", Cause.PATH),
        (".note.gnu.property", bytes(16) + b"\1", bytes(16) + b"\2", Cause.FLAGS),
        (".note.gnu.build-id", bytes(16) + b"\1", bytes(16) + b"\2", Cause.BUILD_ID_ONLY),
        (".odd", b"\1\2\3", b"\1\2\4", Cause.UNKNOWN),
    ],
)
def test_what_a_section_shows(section: str, one: bytes, other: bytes, cause: Cause) -> None:
    rest = {".data.rel": b"the same"}
    assert _cause(make_elf({section: one, **rest}, [_A]), make_elf({section: other, **rest}, [_A])) is cause


@pytest.mark.parametrize(
    ("one", "other", "cause", "place"),
    [
        ([_A, _B], [_B, _A], Cause.PARALLEL_ORDER, ".text: the same functions in another order"),
        ([_A, _B], [_A, _LONGER], Cause.FLAGS, ".text: b"),
    ],
)
def test_functions(one: Functions, other: Functions, cause: Cause, place: str) -> None:
    found = _compare(make_elf({}, one), make_elf({}, other))
    assert (found[0].place, found[0].cause) == (place, cause)


def test_symbols_of_one_only_are_named() -> None:
    found = _compare(make_elf({}, [_A]), make_elf({}, [_A, ("added", b"\xc3")]))
    assert ("symbols of one only", "", "added") in [(entry.place, entry.one, entry.other) for entry in found]


def test_a_build_id_is_no_cause_where_something_else_differs() -> None:
    def made(version: bytes) -> bytes:
        return make_elf({".note.gnu.build-id": bytes(16) + version, ".rodata": b"/tmp/" + version + b"/build/k.c"})

    causes = find_causes((), (MemberDifference("k.so", differences=_compare(made(b"one"), made(b"two"))),))
    assert [cause.cause for cause in causes] == [Cause.PATH]


def test_sections_in_another_order_and_of_one_only() -> None:
    found = _compare(make_elf({".one": b"1", ".two": b"2"}), make_elf({".two": b"2", ".one": b"1"}))
    assert found[0].cause is Cause.PARALLEL_ORDER
    found = _compare(make_elf({".debug_info": b"1"}), make_elf({}))
    assert (found[0].one, found[0].other) == (".debug_info", "")


def _compressed(text: bytes) -> bytes:
    """A section's content as SHF_COMPRESSED has it; the flag is set afterwards."""
    return struct.pack("<IIQQ", 1, 0, len(text), 1) + zlib.compress(text)


def test_debug_information_is_unpacked_with_a_limit() -> None:
    def made(text: bytes) -> bytes:
        elf = bytearray(make_elf({".debug_str": _compressed(text)}))
        (headers,) = struct.unpack_from("<Q", elf, 40)
        struct.pack_into("<Q", elf, headers + 64 + 8, 0x800)
        return bytes(elf)

    assert _cause(made(b"/build/one/k.c"), made(b"/build/two/k.c")) is Cause.PATH
    assert _compare(made(bytes(70 << 20) + b"1"), made(bytes(70 << 20) + b"2"))


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 200])
def test_what_is_no_elf_file(content: bytes) -> None:
    with pytest.raises(NotElfError):
        _compare(content, make_elf({".rodata": b"x"}))


def test_damaged_files_end_in_one_way() -> None:
    chance = random.Random(6)  # noqa: S311 - damages, the same in each run
    good = make_elf({".comment": b"GCC: (GNU) 14.2.1\0", ".rodata": b"/build/one/k.c"}, [_A, _B])
    refused = 0
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(8):
            bad[chance.randrange(4, len(bad))] = chance.randrange(256)
        try:
            _compare(good, bytes(bad))
        except NotElfError:
            refused += 1
    assert refused


def test_equal_files_differ_in_nothing() -> None:
    assert _compare(make_elf({".rodata": b"same text"}, [_A]), make_elf({".rodata": b"same text"}, [_A])) == ()
