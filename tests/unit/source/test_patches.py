from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.archives import write_sdist
from wheelkiln.errors import ConfigError
from wheelkiln.source.patches import apply_patch
from wheelkiln.source.tarball import SdistTree, open_tree

_LINES = "".join(f"line {number}\n" for number in range(1, 11))
_HUNK = """\
@@ -3,3 +3,4 @@ int main()
 line 3
-line 4
+line four
+line 4b
 line 5
"""
_HEADERS = "--- a/src/a.c\n+++ b/src/a.c\n"


@contextmanager
def _patched(
    tmp_path: Path, files: Mapping[str, str | bytes], patch: str | bytes, said: list[str] | None = None
) -> Iterator[SdistTree]:
    sdist = write_sdist(tmp_path / "kern-1.2.tar.gz", files)
    file = tmp_path / "fix.patch"
    file.write_bytes(patch.encode() if isinstance(patch, str) else patch)
    with open_tree(sdist, tmp_path) as tree:
        apply_patch(tree, file, mtime=9, say=(said if said is not None else []).append)
        yield tree


def _refusal(tmp_path: Path, files: Mapping[str, str | bytes], patch: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught, _patched(tmp_path, files, patch):
        pass
    return str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        _HEADERS,
        "--- src/a.c\n+++ src/a.c\n",
        "--- kern-1.2.orig/src/a.c\t2024-01-01 10:00:00\n+++ kern-1.2/src/a.c\t2024-01-02 10:00:00\n",
        "--- src/a.c.orig\n+++ src/a.c\n",
        '--- "a/src/a.c"\n+++ "b/src/a.c"\n',
        "From 0 Mon\nSubject: why\n---\n src/a.c | 2 +-\n\ndiff --git a/src/a.c b/src/a.c\n"
        f"index 111..222 100644\n{_HEADERS}",
    ],
    ids=["p1", "p0", "quilt", "orig", "quoted", "git"],
)
def test_a_hunk_is_applied_whatever_made_the_patch(tmp_path: Path, headers: str) -> None:
    said: list[str] = []
    with _patched(tmp_path, {"src/a.c": _LINES}, headers + _HUNK + "-- \n2.39.5\n", said) as tree:
        assert tree.read_text("src/a.c") == _LINES.replace("line 4\n", "line four\nline 4b\n")
    assert said == []


def test_an_offset_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    with _patched(tmp_path, {"src/a.c": "new\nnewer\n" + _LINES}, _HEADERS + _HUNK, said) as tree:
        assert tree.read_text("src/a.c").startswith("new\nnewer\nline 1\nline 2\nline 3\nline four\n")
    assert said == [
        "fix.patch: hunk 1 of src/a.c fits at line 5 instead of 3; make the patch anew when convenient",
    ]


def test_hunks_after_one_that_moved_are_looked_for_there(tmp_path: Path) -> None:
    said: list[str] = []
    second = "@@ -8,2 +9,1 @@\n line 8\n-line 9\n"
    with _patched(tmp_path, {"src/a.c": "new\n" + _LINES}, _HEADERS + _HUNK + second, said) as tree:
        assert "line 9" not in tree.read_text("src/a.c")
    assert len(said) == 1


def test_no_fuzz(tmp_path: Path) -> None:
    changed = _LINES.replace("line 5", "line V")
    assert _refusal(tmp_path, {"src/a.c": changed}, _HEADERS + _HUNK) == (
        "fix.patch does not apply: hunk 1 of src/a.c, @@ -3,3 +3,4 @@ int main()\n"
        "  line 5\n"
        "  expected 'line 5\\n'\n"
        "  found    'line V\\n'\n"
        "Make the patch anew from this version's sources, or limit it with 'versions' to those that it fits."
    )


def test_a_place_that_is_not_the_only_one_is_refused(tmp_path: Path) -> None:
    text = "x\n" + _LINES + _LINES
    assert "stand at several other places" in _refusal(tmp_path, {"src/a.c": text}, _HEADERS + _HUNK)


def test_a_file_that_ends_before_the_hunk(tmp_path: Path) -> None:
    assert "found    nothing: the file ends before" in _refusal(tmp_path, {"src/a.c": "line 1\n"}, _HEADERS + _HUNK)


def test_the_second_of_two_hunks_is_named(tmp_path: Path) -> None:
    second = "@@ -8,2 +9,1 @@\n line 8\n-line nine\n"
    assert "hunk 2 of src/a.c, @@ -8,2 +9,1 @@" in _refusal(tmp_path, {"src/a.c": _LINES}, _HEADERS + _HUNK + second)


def test_line_ends_belong_to_lines(tmp_path: Path) -> None:
    windows = _LINES.replace("\n", "\r\n")
    refusal = _refusal(tmp_path, {"src/a.c": windows}, _HEADERS + _HUNK)
    assert refusal.endswith("the patch, or the file, was converted between LF and CR LF.")
    with _patched(
        tmp_path, {"src/a.c": windows}, _HEADERS + _HUNK.replace("\n", "\r\n").replace("@@ int main()\r", "@@")
    ) as tree:
        assert tree.read("src/a.c") == windows.replace("line 4\r\n", "line four\r\nline 4b\r\n").encode()


def test_a_patch_that_was_converted_is_said_so(tmp_path: Path) -> None:
    whole = (_HEADERS + _HUNK).replace("\n", "\r\n")
    assert "its headers too" in _refusal(tmp_path, {"src/a.c": _LINES}, whole)


@pytest.mark.parametrize("end", ["", "\n"])
def test_missing_newlines_are_exact(tmp_path: Path, end: str) -> None:
    marker = "\\ No newline at end of file\n"
    patch = _HEADERS + "@@ -1 +1 @@\n-a\n" + (marker if not end else "") + "+b\n" + ("" if not end else marker)
    with _patched(tmp_path, {"src/a.c": f"a{end}"}, patch) as tree:
        assert tree.read_text("src/a.c") == ("b\n" if not end else "b")
    assert "does not apply" in _refusal(tmp_path, {"src/a.c": "a" if end else "a\n"}, patch)


def test_a_line_without_an_end_is_no_inner_line(tmp_path: Path) -> None:
    marker = "\\ No newline at end of file\n"
    append = "--- a/a\n+++ b/a\n@@ -1,0 +2 @@\n+b\n"
    assert "does not apply" in _refusal(tmp_path, {"a": "a"}, append)
    assert "does not apply" in _refusal(tmp_path, {"a": "a\nb\n"}, f"--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n{marker}")
    assert "does not apply" in _refusal(tmp_path, {"a": ""}, f"--- a/a\n+++ b/a\n@@ -0,0 +1,2 @@\n+a\n{marker}+b\n")


def test_text_that_is_not_utf8_stays_as_it_is(tmp_path: Path) -> None:
    before, after = b"caf\xe9\n\x85 \x0c\n", b"caf\xe9\nx\n"
    patch = _HEADERS.encode() + b"@@ -1,2 +1,2 @@\n caf\xe9\n-\x85 \x0c\n+x\n"
    with _patched(tmp_path, {"src/a.c": before}, patch) as tree:
        assert tree.read("src/a.c") == after


def test_new_files_are_made(tmp_path: Path) -> None:
    patch = (
        "--- a/new.c\t1970-01-01 01:00:00.000000000 +0100\n+++ b/new.c\t2024-01-01 00:00:00\n@@ -0,0 +1 @@\n+int n;\n"
        "diff --git a/run.sh b/run.sh\nnew file mode 100755\nindex 000..111\n--- /dev/null\n+++ b/run.sh\n"
        "@@ -0,0 +1,2 @@\n+#!/bin/sh\n+true\n"
        "diff --git a/src/empty.h b/src/empty.h\nnew file mode 100644\nindex 000..e69\n"
    )
    with _patched(tmp_path, {"src/a.c": _LINES}, patch) as tree:
        assert tree.read_text("run.sh") == "#!/bin/sh\ntrue\n"
        assert tree.read("src/empty.h") == b""
        assert tree.read_text("new.c") == "int n;\n"
        made = tree.save(tmp_path / "new.tar.gz", root="kern-1.2")
    with tarfile.open(made) as archive:
        assert (archive.getmember("kern-1.2/run.sh").mode, archive.getmember("kern-1.2/run.sh").mtime) == (0o755, 9)
        assert archive.getmember("kern-1.2/new.c").mode == 0o644


@pytest.mark.parametrize(
    ("name", "made"),
    [("b/new.c", "new.c"), ("src/new.c", "src/new.c"), ("new.c", "new.c"), ("kern-1.2/new.c", "new.c")],
)
def test_a_patch_of_new_files_only_finds_its_level(tmp_path: Path, name: str, made: str) -> None:
    with _patched(tmp_path, {"src/a.c": _LINES}, f"--- /dev/null\n+++ {name}\n@@ -0,0 +1 @@\n+x\n") as tree:
        assert tree.read_text(made) == "x\n"


def test_files_are_removed(tmp_path: Path) -> None:
    hunk = "@@ -1,2 +0,0 @@\n-one\n-two\n"
    files = {"a": "one\ntwo\n", "b": "one\ntwo\n", "c": ""}
    patch = (
        f"--- a/a\n+++ /dev/null\n{hunk}"
        f"--- a/b\t2024-01-01 00:00:00\n+++ b/b\t1970-01-01 00:00:00.000000000 +0000\n{hunk}"
        "diff --git a/c b/c\ndeleted file mode 100644\nindex e69..000\n"
    )
    with _patched(tmp_path, files, patch) as tree:
        assert tree.files == ()
    assert "has more lines" in _refusal(tmp_path, {**files, "a": "one\ntwo\nthree\n"}, patch)


def test_files_are_renamed(tmp_path: Path) -> None:
    patch = (
        "diff --git a/src/a.c b/lib/b.c\nsimilarity index 80%\nrename from src/a.c\nrename to lib/b.c\n"
        f"--- a/src/a.c\n+++ b/lib/b.c\n{_HUNK}"
        "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n"
    )
    with _patched(tmp_path, {"src/a.c": _LINES, "x": "1"}, patch) as tree:
        assert tree.files == ("lib/b.c", "y")
        assert "line four" in tree.read_text("lib/b.c")
    assert "makes y, which kern-1.2.tar.gz has already" in _refusal(
        tmp_path, {"src/a.c": _LINES, "x": "1", "y": ""}, patch
    )


def test_the_mode_changes(tmp_path: Path) -> None:
    patch = "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
    with _patched(tmp_path, {"run": "x"}, patch) as tree:
        made = tree.save(tmp_path / "new.tar.gz", root="k")
    with tarfile.open(made) as archive:
        assert archive.getmember("k/run").mode == 0o755


def test_a_series_in_one_file_is_applied_in_its_order(tmp_path: Path) -> None:
    patch = (
        "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+one\n"
        "--- a/new.c\n+++ b/new.c\n@@ -1 +1,2 @@\n one\n+two\n"
    )  # fmt: skip
    with _patched(tmp_path, {"src/a.c": _LINES}, patch) as tree:
        assert tree.read_text("new.c") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("--- a/../../etc/x\n+++ b/../../etc/x\n@@ -0,0 +1 @@\n+x\n", "outside of the sdist"),
        ("--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n", "outside of the sdist"),
        ("--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+x\n", "outside of the sdist"),
        ('--- /dev/null\n+++ "b/\\056\\056/x"\n@@ -0,0 +1 @@\n+x\n', "outside of the sdist"),
        ("--- /dev/null\n+++ b/out/x\n@@ -0,0 +1 @@\n+x\n", "out is a link"),
        ("--- a/out\n+++ b/out\n@@ -1 +1 @@\n-x\n+y\n", "out is a link"),
        ("--- /dev/null\n+++ b/src\n@@ -0,0 +1 @@\n+x\n", "src is a directory"),
        ("--- /dev/null\n+++ b/src/a.c\n@@ -0,0 +1 @@\n+x\n", "makes src/a.c, which k.tar.gz has already"),
        ("--- a/absent\n+++ b/absent\n@@ -1 +1 @@\n-x\n+y\n", "k.tar.gz has no file absent"),
        ("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n", "a link or a sub"),
        ("diff --git a/m b/m\nnew file mode 160000\n--- /dev/null\n+++ b/m\n@@ -0,0 +1 @@\n+Sub\n", "a link or a sub"),
        ("diff --git a/src/a.c b/b\nsimilarity index 100%\ncopy from src/a.c\ncopy to b\n", "copies a file to b"),
        ("diff --git a/p b/p\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIc${MZ\n", "as a binary file"),
        ("Binary files a/p.png and b/p.png differ\n", "as a binary file"),
        ("--- a/src/a.c\n+++ b/src/a.c\n@@ -1,3 +1,3 @@\n line 1\n", "not a unified diff"),
        ("*** a/src/a.c\n--- b/src/a.c\n***************\n*** 1 ****\n! x\n--- 1 ----\n! y\n", "fix.patch"),
        ("just words\n", "changes no file"),
        ("", "changes no file"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, patch: str, message: str) -> None:
    path = tmp_path / "k.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in (("k/src/a.c", tarfile.REGTYPE), ("k/out", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "src"
            archive.addfile(info, io.BytesIO())
    (tmp_path / "fix.patch").write_text(patch)
    with (
        open_tree(path, tmp_path) as tree,
        pytest.raises(ConfigError, match=r"fix\.patch") as caught,
    ):
        apply_patch(tree, tmp_path / "fix.patch", mtime=9)
    assert message in str(caught.value)


def test_a_patch_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        open_tree(write_sdist(tmp_path / "k.tar.gz", {"a": ""}), tmp_path) as tree,
        pytest.raises(ConfigError, match=r"absent\.patch cannot be read: No such file"),
    ):
        apply_patch(tree, tmp_path / "absent.patch", mtime=9)
