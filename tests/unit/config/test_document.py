"""[tool.wheelkiln] enters and leaves a pyproject.toml without a change to the rest."""

import tomllib

import pytest

from wheelkiln.config.document import has_table, replace_table
from wheelkiln.errors import UsageProblem

BLOCK = '\n[tool.wheelkiln]\npython = ["cp312"]\n\n[tool.wheelkiln.image]\n# base = "pypa"\n'.lstrip()
PROJECT = '# top\n[project]\nname   =  "x"  # kept\n'


@pytest.mark.parametrize(
    "document", [PROJECT, PROJECT.rstrip("\n"), PROJECT + "\n\n", PROJECT.replace("\n", "\r\n"), ""]
)
def test_appends_and_keeps_the_rest_byte_for_byte(document: str) -> None:
    result = replace_table(document, BLOCK)
    assert result.startswith(document)
    assert tomllib.loads(result)["tool"]["wheelkiln"] == {"python": ["cp312"], "image": {}}


def test_appends_with_the_line_ends_of_the_document() -> None:
    result = replace_table(PROJECT.replace("\n", "\r\n"), BLOCK)
    assert result.count("\n") == result.count("\r\n")


def test_replacing_again_changes_nothing() -> None:
    once = replace_table(PROJECT, BLOCK)
    assert replace_table(once, BLOCK) == once


def test_replaces_a_table_in_the_middle_and_leaves_the_next_tables_comment() -> None:
    old = '[tool."wheelkiln"]\npython = ["cp310"]\n[tool.wheelkiln.cache]\ndir = "x"\n# mine\n\n# ruff\n'
    after = "[tool.ruff]\nline-length = 100\n"
    result = replace_table(f"{PROJECT}\n{old}{after}", BLOCK)
    assert result == f"{PROJECT}\n# ruff\n{after}\n{BLOCK}"


def test_leaves_tables_whose_names_only_begin_alike() -> None:
    document = "[tool.wheelkiln-extra]\na = 1\n[tool.wheelkiln]\n"
    assert replace_table(document, BLOCK).startswith("[tool.wheelkiln-extra]\na = 1\n")


@pytest.mark.parametrize(
    "document",
    [
        "tool = { ruff = { line-length = 100 } }\n",
        '[tool]\nwheelkiln.python = ["cp310"]\n',
        '[tool.x]\ntext = """\n[tool.wheelkiln]\n"""\n[tool.wheelkiln]\n',
    ],
    ids=["inline table", "dotted key", "inside a string"],
)
def test_refuses_what_it_cannot_change_safely(document: str) -> None:
    with pytest.raises(UsageProblem, match="cannot be"):
        replace_table(document, BLOCK)


@pytest.mark.parametrize(
    ("document", "expected"), [("[tool.wheelkiln]\n", True), (PROJECT, False), ("tool = 1", False)]
)
def test_sees_an_empty_table(document: str, expected: bool) -> None:
    assert has_table(document) is expected
