"""A harness for atheris (libFuzzer for Python) over what reads wheels. By hand, because it runs until it is stopped:

    pip install atheris && python -m tests.fuzz.wheels -max_total_time=300 CORPUS-DIRECTORY

An input is the bytes of a wheel, its first byte says which reader gets them. What a reader raises besides its own
errors is a fault; so is a wheel that zipfile reads otherwise.
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

__all__ = ["main", "read_one"]

_BETWEEN = b"\xff\xfe"


def read_one(data: bytes) -> None:
    """Give an input to one of the readers."""
    from wheelkiln.verify.elf import BadElfError, read_elf
    from wheelkiln.verify.record_file import BadRecordError, read_record

    which, content = data[:1], data[1:]
    if which == b"r":
        try:
            read_record(content.decode("utf-8", errors="replace"))
        except BadRecordError:
            return
    elif which == b"e" and content:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            try:
                read_elf("k.so", file.fileno())
            except BadElfError:
                return
    elif which == b"m":
        _read_wheel(_make_wheel(content))
    else:
        _read_wheel(content)


def _make_wheel(content: bytes) -> bytes:
    """Put parts of an input into a wheel whose checksums are right, so that more than the archive is reached."""
    from tests.hostile_wheels import wheel_bytes, wheel_entries

    metadata, wheel, record, elf = [*content.split(_BETWEEN), b"", b"", b"", b""][:4]
    parts = {"METADATA": metadata, "WHEEL": wheel, "RECORD": record}
    encoded = {name: part.decode("utf-8", errors="replace") for name, part in parts.items() if part}
    return wheel_bytes(wheel_entries({"kern/k.so": elf}, **encoded))


def _read_wheel(content: bytes) -> None:
    from tests.fakes import Answer, FakeRunner
    from tests.hostile_wheels import NAME
    from wheelkiln.verify.archive import check_archive, open_archive
    from wheelkiln.verify.checks import Expectation, check_wheel
    from wheelkiln.verify.rules import RULES
    from wheelkiln.verify.zip_model import Limits, ZipFaultError

    limits = Limits(size=1 << 24)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / NAME
        path.write_bytes(content)
        check_wheel(path, Expectation(limits=limits), FakeRunner({"python -m wheelkiln": Answer()}))
        try:
            with open_archive(path, limits) as archive:
                if any(RULES[finding.code].fixed for finding in check_archive(archive)):
                    return
                ours = {name: archive.read(member, 1 << 24) for name, member in archive.members.items()}
        except ZipFaultError:
            return
    with zipfile.ZipFile(io.BytesIO(content)) as other:
        assert {name: other.read(name) for name in other.namelist()} == ours


def _write_seeds(directory: Path) -> None:
    from tests.hostile_wheels import HOSTILE, make_elf, wheel_bytes, wheel_entries

    large = {"a bomb", "too many members", "a stream that is longer than it says"}
    seeds = [b"w" + make() for name, (_, make) in HOSTILE.items() if name not in large]
    good = wheel_bytes(wheel_entries({"kern/k.so": make_elf(search=b"$ORIGIN", needed=b"libz.so")}))
    parts = [entry.content for entry in wheel_entries()[1:]]
    seeds += [b"m" + _BETWEEN.join([*parts, make_elf(needed=b"libz.so")])]
    seeds += [b"w" + good, b"e" + make_elf(search=b"$ORIGIN", needed=b"libz.so"), b"r" + wheel_entries()[-1].content]
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (directory / f"seed-{number}").write_bytes(seed)


def main() -> None:
    """Write seeds into the corpus and fuzz."""
    atheris: Any = __import__("atheris")
    directories = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    if directories:
        _write_seeds(directories[0])
    with atheris.instrument_imports(include=["wheelkiln.verify", "zipfile", "packaging", "csv", "email"]):
        for module in ("checks", "elf", "record_file", "metadata", "zip_records"):
            __import__(f"wheelkiln.verify.{module}")
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
