from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archives import write_sdist
from wheelkiln.errors import UsageProblem
from wheelkiln.source.archive import read_sdist

_FILES = {"pyproject.toml": "[project]\n", "PKG-INFO": "Name: kern\n", "src/a.c": "int a;\n"}


def _write(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _info(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def test_the_texts_at_the_root_are_read(tmp_path: Path) -> None:
    content = read_sdist(write_sdist(tmp_path / "k.tar.gz", {**_FILES, "sub/setup.py": "inner", "setup.cfg": "[x]"}))
    assert content.files.pyproject == "[project]\n"
    assert content.files.pkg_info == "Name: kern\n"
    assert content.files.setup_cfg == "[x]"
    assert content.files.setup_py == ""
    assert content.paths == {"pyproject.toml", "PKG-INFO", "src/a.c", "sub/setup.py", "setup.cfg"}
    assert content.size == (tmp_path / "k.tar.gz").stat().st_size


def test_a_leading_dot_is_no_directory(tmp_path: Path) -> None:
    path = write_sdist(tmp_path / "k.tar.gz", _FILES, root="./kern-1.2")
    assert read_sdist(path).files.pyproject == "[project]\n"


def test_the_digest_leaves_out_times_order_and_root(tmp_path: Path) -> None:
    one = read_sdist(write_sdist(tmp_path / "1.tar.gz", _FILES, mtime=1_600_000_000))
    backwards = dict(reversed(_FILES.items()))
    two = read_sdist(write_sdist(tmp_path / "2.tar.gz", backwards, mtime=1_700_000_000, root="other"))
    assert one.digest == two.digest


def _rename(files: dict[str, str]) -> dict[str, str]:
    return {f"{name}x" if name == "src/a.c" else name: text for name, text in files.items()}


@pytest.mark.parametrize(
    "change", [lambda files: {**files, "src/a.c": "int b;\n"}, _rename, lambda f: {**f, "new": ""}]
)
def test_the_digest_covers_names_and_contents(
    tmp_path: Path, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    one = read_sdist(write_sdist(tmp_path / "1.tar.gz", _FILES))
    two = read_sdist(write_sdist(tmp_path / "2.tar.gz", change(_FILES)))
    assert one.digest != two.digest


def test_the_digest_covers_the_executable_bit_and_links(tmp_path: Path) -> None:
    plain = _write(tmp_path / "1.tar.gz", (_info("k/run", mode=0o644), b"x"))
    group = _write(tmp_path / "2.tar.gz", (_info("k/run", mode=0o664), b"x"))
    executable = _write(tmp_path / "3.tar.gz", (_info("k/run", mode=0o755), b"x"))
    link = _write(tmp_path / "4.tar.gz", (_info("k/run", type=tarfile.SYMTYPE, linkname="x"), b""))
    digests = [read_sdist(path).digest for path in (plain, group, executable, link)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_newest_time_is_of_the_projects_own_files(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "k.tar.gz",
        (_info("k/PKG-INFO", mtime=1_700_000_009), b"x"),
        (_info("k/setup.cfg", mtime=1_700_000_009), b"x"),
        (_info("k/src/k.egg-info/SOURCES.txt", mtime=1_700_000_009), b"x"),
        (_info("k/a.c", mtime=1_600_000_001), b"x"),
        (_info("k/b.c", mtime=1_600_000_000), b"x"),
    )
    assert read_sdist(path).newest == 1_600_000_001


def test_no_time_is_older_than_a_zip_can_hold(tmp_path: Path) -> None:
    assert read_sdist(write_sdist(tmp_path / "k.tar.gz", _FILES, mtime=0)).newest == 315_532_800


@pytest.mark.parametrize("mtime", [float("inf"), float("nan"), 1e300, -5.0])
def test_absurd_times_are_no_crash(tmp_path: Path, mtime: float) -> None:
    info = _info("k/a.c")
    info.pax_headers = {"mtime": str(mtime)}
    path = _write(tmp_path / "k.tar.gz", (info, b"x"))
    assert 315_532_800 <= read_sdist(path).newest < 1 << 33


@pytest.mark.parametrize(
    "info",
    [
        _info("../evil"),
        _info("k/../../evil"),
        _info("k/../other/evil"),
        _info("/etc/evil"),
        _info("k/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        _info("k/link", type=tarfile.SYMTYPE, linkname="../../x"),
        _info("k/link", type=tarfile.LNKTYPE, linkname="../x"),
        _info("k/device", type=tarfile.CHRTYPE),
        _info("k/pipe", type=tarfile.FIFOTYPE),
        _info("."),
    ],
    ids=lambda info: f"{info.name}-{info.linkname}",
)
def test_nothing_leaves_its_directory(tmp_path: Path, info: tarfile.TarInfo) -> None:
    path = _write(tmp_path / "k.tar.gz", (info, b""))
    with pytest.raises(UsageProblem, match=r"k.tar.gz holds a (dangerous member|member without a name)"):
        read_sdist(path)


def test_two_roots_are_no_sdist(tmp_path: Path) -> None:
    path = write_sdist(tmp_path / "k.tar.gz", {"a/x": "", "b/x": ""}, root="")
    with pytest.raises(UsageProblem, match="does not hold exactly one directory"):
        read_sdist(path)


def test_an_empty_archive_is_no_sdist(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="does not hold exactly one directory"):
        read_sdist(write_sdist(tmp_path / "k.tar.gz", {}))


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "k.tar.gz"
    for content in (b"", b"hello", gzip.compress(b"hello" * 500)):
        path.write_bytes(content)
        with pytest.raises(UsageProblem, match=r"k.tar.gz is not "):
            read_sdist(path)


def test_a_damaged_archive_is_no_crash_wherever_it_is_damaged(tmp_path: Path) -> None:
    whole = write_sdist(tmp_path / "w.tar.gz", {f"f{i}": f"{i * 7919}" * 40 for i in range(40)}).read_bytes()
    path = tmp_path / "k.tar.gz"
    damaged = 0
    for place in range(10, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_sdist(path)
        except UsageProblem:
            damaged += 1
    assert damaged > 20


def test_a_truncated_archive_is_no_crash(tmp_path: Path) -> None:
    whole = write_sdist(tmp_path / "w.tar.gz", {"big": bytes(range(256)) * 4000}).read_bytes()
    path = tmp_path / "k.tar.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageProblem, match="is not a readable sdist"):
        read_sdist(path)


def test_an_absent_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_sdist(tmp_path / "absent.tar.gz")


def test_a_member_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "k.tar.gz"
    info = _info("k/huge", size=9 << 30)
    path.write_bytes(gzip.compress(info.tobuf() + b"\0" * 1024))
    with pytest.raises(UsageProblem, match="more than 200000 members or 8 GiB"):
        read_sdist(path)
