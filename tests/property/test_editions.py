"""Patches and metadata: what an editor is not asked to change stays, and no input makes more than an error."""

from __future__ import annotations

import contextlib
import difflib
import tempfile
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.archives import write_sdist
from wheelkiln.errors import ConfigError, UsageProblem
from wheelkiln.source.archive import read_sdist
from wheelkiln.source.core_metadata import parse_core_metadata
from wheelkiln.source.edition import Publication, make_edition
from wheelkiln.source.patches import apply_patch
from wheelkiln.source.prepare import describe_sdist
from wheelkiln.source.tarball import open_tree
from wheelkiln.source.toml_edits import Append, Replace, apply_edits

_LINE = st.sampled_from(["a", "b", "", " ", "+x", "-y", "\\ z", "@@ -1 +1 @@", "--- a/k", "\r", "ä"])
_TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + ("\n" if end and lines else ""),
    st.lists(_LINE, max_size=30),
    st.booleans(),
)


def _lines(text: str) -> list[str]:
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def _diff(old: str, new: str, context: int) -> str:
    """A unified diff as diff(1) writes it; difflib leaves the marker of a missing newline out."""
    made = difflib.unified_diff(_lines(old), _lines(new), "a/file", "b/file", n=context)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in made)


def _patched(old: str, patch: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "p.patch").write_bytes(patch.encode("utf-8", errors="surrogateescape"))
        with open_tree(write_sdist(work / "k.tar.gz", {"file": old, "other": "x"}), work) as tree:
            apply_patch(tree, work / "p.patch", mtime=1)
            return tree.read("file") if tree.is_file("file") else b""


@given(_TEXT, _TEXT, st.integers(min_value=0, max_value=4))
def test_a_diff_leads_from_the_old_text_to_the_new(old: str, new: str, context: int) -> None:
    patch = _diff(old, new, context)
    if patch:
        assert _patched(old, patch) == new.encode()


@given(_TEXT, _TEXT, _TEXT)
def test_a_patch_of_another_text_is_applied_whole_or_refused(old: str, new: str, other: str) -> None:
    """Where it fits elsewhere, exactly its added and removed lines make the difference."""
    patch = _diff(old, new, 3)
    if not patch:
        return
    with contextlib.suppress(ConfigError):
        made = _patched(other, patch).decode()
        assert len(_lines(made)) - len(_lines(other)) == len(_lines(new)) - len(_lines(old))


@given(st.text(alphabet='-+ @\\,0123456789abdfilegtnmor/.\n\r\t"', max_size=300))
def test_no_patch_makes_more_than_an_error(text: str) -> None:
    with contextlib.suppress(ConfigError, UsageProblem):
        _patched("a\nb\n", text)


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d.txt", "ä", "x" * 120]), st.binary(max_size=50), min_size=1))
def test_an_unchanged_sdist_is_the_same_source(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        source = write_sdist(work / "k.tar.gz", files)
        with open_tree(source, work) as tree:
            made = tree.save(work / "new.tar.gz", root="new")
        assert read_sdist(made).digest == read_sdist(source).digest


_SOMETHING = st.one_of(
    st.just("kern"),
    st.just(["version", "readme", "kern[x]", 1, "classifiers"]),
    st.integers(0, 1),
    st.dictionaries(
        st.sampled_from(["all", "module", "build", "wheel", "dynamic", "metadata", "name"]),
        st.one_of(st.just("kern[x]"), st.just([["kern"], "kern[x]"]), st.just({"name": 1}), st.just(0)),
        max_size=2,
    ),
)
_BACKENDS = ("setuptools.build_meta", "hatchling.build", "flit_core.buildapi", "scikit_build_core.build", "maturin")


@given(
    st.dictionaries(
        st.sampled_from(["name", "version", "dynamic", "classifiers", "optional-dependencies", "readme"]), _SOMETHING
    )
    | st.just(1),
    st.dictionaries(
        st.sampled_from(["poetry", "flit", "hatch", "scikit-build", "maturin", "setuptools"]), _SOMETHING, max_size=3
    )
    | st.just([]),
    st.dictionaries(st.sampled_from(["requires", "build-backend"]), _SOMETHING) | st.sampled_from([{}, 1]),
    st.sampled_from(_BACKENDS),
    st.dictionaries(st.just("a"), _SOMETHING) | st.just([]),
)
def test_no_pyproject_makes_more_than_an_error(
    project: object, tool: object, system: object, backend: str, groups: object
) -> None:
    import tomli_w

    if isinstance(system, dict):
        system = {"build-backend": backend, **system}
    text = tomli_w.dumps({"project": project, "tool": tool, "build-system": system, "dependency-groups": groups})
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        info = "Metadata-Version: 2.1\nName: kern\nVersion: 1\n"
        sdist = write_sdist(work / "k.tar.gz", {"PKG-INFO": info, "pyproject.toml": text, "Cargo.toml": "lib = 1"})
        (work / "README.md").write_text("x")
        with contextlib.suppress(ConfigError, UsageProblem):
            published = Publication("other", "words", str(work / "README.md"), "+x", ("A :: B",))
            made = make_edition(describe_sdist(sdist, 1), published, extra_requires=("x",), work_dir=work)
            assert (made.facts.name, made.facts.version) == ("other", "1+x")


_FIELD = st.tuples(
    st.sampled_from(["Name", "Version", "Classifier", "License", "Requires-Dist", "X-Y"]),
    st.text(alphabet="abc :ä\t", max_size=20),
    st.lists(st.text(alphabet="ab: ", max_size=9), max_size=2),
)


@given(st.lists(_FIELD, min_size=1, max_size=8), st.text(alphabet="ab:\n ä", max_size=60))
def test_core_metadata_is_written_as_it_was_read(fields: list[tuple[str, str, list[str]]], body: str) -> None:
    folded = ["".join([f"{key}: {value}\n", *(f"        |{line}\n" for line in more)]) for key, value, more in fields]
    text = "".join(folded) + (f"\n{body}" if body else "")
    metadata = parse_core_metadata(text)
    assert metadata.render() == text
    metadata.set("Name", "other")
    assert metadata.get("Name") == "other"
    assert [field.text for field in metadata.fields if field.key != "name"] == [
        entry.removesuffix("\n") for entry, (key, _, _) in zip(folded, fields, strict=True) if key != "Name"
    ]


_KEYS = st.sampled_from(["a", "b-c", "d.e", "name", "ä"])
_VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(alphabet="ab'\"\\\n#ä", max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4), st.text(alphabet="ab'\"\\\n#ä", max_size=8))
def test_toml_edits_change_what_they_name_and_nothing_else(table: dict[str, object], value: str) -> None:
    import tomli_w

    text = f"# kept\n{tomli_w.dumps({'tool': {'x': table}, 'project': {'name': 'old', 'list': ['one']}})}"
    made = apply_edits(
        text,
        [Replace(("project", "name"), value), Append(("project", "list"), (value,)), Replace(("new", "a", "b"), 1)],
    )
    assert tomllib.loads(made) == {
        "tool": {"x": table},
        "project": {"name": value, "list": ["one", value]},
        "new": {"a": {"b": 1}},
    }
    assert made.startswith("# kept\n")
