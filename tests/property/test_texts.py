"""Texts that must hold for whatever is put into them."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path, PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from wheelkiln.build.cibuildwheel_config import _mount
from wheelkiln.build.explain import explain_failure, relevant_lines
from wheelkiln.build.stages import plain_text
from wheelkiln.config.model import Config
from wheelkiln.image.bootstrap import relocate_text
from wheelkiln.source.spec import GitSource, parse_source
from wheelkiln.system.engine import join_fields
from wheelkiln.system.process import mask_secrets

_PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=["Cc", "Z"]), min_size=1)
_AROUND = st.text(st.characters(codec="ascii", categories=["L", "Nd", "Zs"]), max_size=20)
_PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).map(lambda t: f"/{t}")


@given(_PASSWORDS, _AROUND, _AROUND)
def test_no_password_of_a_url_is_shown(password: str, before: str, after: str) -> None:
    secret = f"\u2603{password}\u2603"
    masked = mask_secrets(f"{before} https://user:{secret}@host/simple {after}")
    assert masked == f"{before} https://***@host/simple {after}"


@given(_PASSWORDS)
def test_no_password_is_shown_in_a_logged_command_line(password: str) -> None:
    secret = f"\u2603{password}\u2603"
    line = shlex.join(["pip", "install", "--index-url", f"https://user:{secret}@host/simple", "x"])
    assert "\u2603" not in mask_secrets(line)


@given(_PATHS, _PATHS, st.booleans())
def test_a_mount_survives_any_path(source: str, target: str, read_only: bool) -> None:
    argument = _mount(Path(source), PurePosixPath(target), read_only=read_only)
    (fields,) = csv.reader(io.StringIO(argument.removeprefix("--mount="), newline=""))
    expected = ["type=bind", f"source={Path(source)}", f"target={PurePosixPath(target)}"]
    assert fields == [*expected, *(["readonly"] if read_only else [])]


@given(st.lists(_PATHS, min_size=1, max_size=4))
def test_fields_without_special_characters_are_joined_plainly(fields: list[str]) -> None:
    joined = join_fields(*fields)
    if not any(set(field) & set(',"\r\n') for field in fields):
        assert joined == ",".join(fields)


_PREFIX = "/home/dev/.pyenv/versions/3.12.1"
_PIECES = st.lists(
    st.sampled_from(
        [
            _PREFIX,
            f"{_PREFIX}/lib",
            f"-L{_PREFIX}/lib",
            f"-Wl,-rpath,{_PREFIX}/lib",
            f"-I{_PREFIX}/include",
            f"{_PREFIX}/lib/python3.12",
            "-lm",
            " ",
            "\n",
            "'",
            "/",
            "/home/dev",
        ]
    ),
    max_size=12,
).map(" ".join)


@given(_PIECES)
def test_a_relocated_text_has_nothing_of_the_old_prefix(text: str) -> None:
    assert _PREFIX not in relocate_text(text, Path(_PREFIX), Path("/opt/python/cp312-cp312"))


@given(st.from_regex(r"[a-z0-9_-][a-z0-9._-]{0,4}", fullmatch=True))
def test_another_interpreter_with_a_longer_name_stays(more: str) -> None:
    text = f"{_PREFIX}{more}/bin -L{_PREFIX}{more}/lib"
    assert relocate_text(text, Path(_PREFIX), Path("/opt/moved")) == text


@given(_PIECES)
def test_relocating_twice_changes_nothing_more(text: str) -> None:
    once = relocate_text(text, Path(_PREFIX), Path("/opt/python/cp312-cp312"))
    assert relocate_text(once, Path(_PREFIX), Path("/opt/python/cp312-cp312")) == once


@given(st.text())
def test_a_plain_line_can_do_nothing_to_a_terminal(text: str) -> None:
    plain = plain_text(text)
    assert all(char.isprintable() or char == "\t" for char in plain)
    assert plain_text(plain) == plain


@given(st.lists(st.text(max_size=30), max_size=60), st.sampled_from(["compile", "test", "repair", ""]))
def test_any_log_is_explained(lines: list[str], stage: str) -> None:
    message, hint = explain_failure(lines, stage, Config())
    assert message
    assert hint
    shown = relevant_lines(lines)
    assert len(shown) <= 24
    assert set(shown) <= set(lines)


_USER = st.sampled_from(["", "git@", "token@", "u:p@"])
_REFERENCE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,20}", fullmatch=True)


@given(st.sampled_from(["https", "ssh", "git"]), _USER, st.none() | _REFERENCE)
def test_a_git_url_is_taken_apart_at_the_reference(scheme: str, user: str, reference: str | None) -> None:
    url = f"{scheme}://{user}host/a/b.git"
    text = f"git+{url}" + (f"@{reference}" if reference else "")
    assert parse_source(text, Path("/nowhere")) == GitSource(url, reference or "HEAD")
