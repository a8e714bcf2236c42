from __future__ import annotations

import tomllib
from typing import Any

import jsonschema
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from wheelkiln.cli.schema import make_schema
from wheelkiln.config.load import parse_config
from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError

_SCHEMA = jsonschema.Draft202012Validator(make_schema("config"))

_TABLES = st.fixed_dictionaries(
    {},
    optional={
        "python": st.lists(st.from_regex(r"cp3[0-9]{1,2}t?", fullmatch=True), min_size=1, max_size=4),
        "arch": st.lists(st.sampled_from(["x86_64", "aarch64"]), max_size=2),
        "policy": st.from_regex(r"manylinux2014|manylinux_2_[0-9]{1,2}", fullmatch=True),
        "libc": st.lists(st.sampled_from(["manylinux", "musllinux"]), min_size=1, max_size=2),
        "musl-policy": st.from_regex(r"musllinux_1_[0-9]", fullmatch=True),
        "frontend": st.sampled_from(["build", "pip"]),
        "hosts": st.dictionaries(
            st.from_regex(r"[a-z]{1,5}", fullmatch=True),
            st.fixed_dictionaries(
                {"docker": st.from_regex(r"(ssh|tcp)://[a-z]{1,5}", fullmatch=True), "arch": st.just(["aarch64"])}
            ),
            max_size=2,
        ),
        "image": st.fixed_dictionaries(
            {},
            optional={
                "base": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_./:@-]{0,20}", fullmatch=True),
                "release": st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True),
                "toolchain": st.sampled_from(["gcc", "clang"]),
                "sccache": st.booleans(),
                "requires": st.lists(st.sampled_from(["sve2", "avx512bf16"]), max_size=2),
                "mirror": st.from_regex(r"https?://[a-z]{1,5}/[^\s'\"\\]{0,5}", fullmatch=True),
                "cache-from": st.lists(st.from_regex(r"type=[^\s]{1,9}", fullmatch=True), max_size=2),
                "attestations": st.sampled_from(["auto", "none", [], ["sbom"], ["provenance", "sbom"]]),
                "labels": st.dictionaries(
                    st.from_regex(r"[a-z][a-z.-]{0,9}", fullmatch=True),
                    st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=9),
                    max_size=2,
                ),
                "packages": st.fixed_dictionaries(
                    {"deb": st.lists(st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,9}", fullmatch=True), max_size=3)}
                ),
            },
        ),
        "cache": st.fixed_dictionaries(
            {},
            optional={
                "dir": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
                "max-size": st.from_regex(r"[0-9]{1,3}(\.[0-9])?[kKMGT]i?", fullmatch=True),
            },
        ),
        "container": st.fixed_dictionaries(
            {}, optional={"user": st.sampled_from(["builder", "root"]), "network": st.sampled_from(["none", "host"])}
        ),
        "repair": st.fixed_dictionaries(
            {}, optional={"exclude": st.lists(st.from_regex(r"lib[a-z]{1,5}\.so\.\*", fullmatch=True), max_size=3)}
        ),
    },
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["python", "arch", "libc", "hosts", "policy", "image", "cache", "container", "repair", "frontend", "x"]
)


@given(_TABLES)
def test_a_config_survives_toml_and_json(table: dict[str, Any]) -> None:
    config = parse_config(table).config
    written = tomli_w.dumps(config.model_dump(mode="json", by_alias=True))
    assert parse_config(tomllib.loads(written)).config == config
    assert Config.model_validate_json(config.model_dump_json(by_alias=True)) == config


@given(_TABLES)
def test_what_is_accepted_satisfies_the_schema(table: dict[str, Any]) -> None:
    parse_config(table)
    assert list(_SCHEMA.iter_errors(table)) == []


@given(_TABLES)
def test_every_value_that_is_given_is_in_the_config(table: dict[str, Any]) -> None:
    dumped = parse_config(table).config.model_dump(mode="json", by_alias=True)
    _assert_holds(dumped, table)


def _assert_holds(outer: Any, inner: Any) -> None:
    if isinstance(inner, dict):
        for key, value in inner.items():
            _assert_holds(outer[key], value)
    else:
        assert outer == inner


@given(st.dictionaries(_KEYS, _ANYTHING, max_size=4))
def test_any_table_is_accepted_or_named_as_wrong(table: dict[str, Any]) -> None:
    try:
        parse_config(table)
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert {problem.partition(":")[0].split(".")[0] for problem in problems} <= set(table)


@given(st.dictionaries(st.sampled_from(["image.base", "python", "cache.dir"]), st.text(max_size=8)), _TABLES)
def test_any_flag_over_any_table_is_no_crash(flags: dict[str, str], table: dict[str, Any]) -> None:
    try:
        config = parse_config(table, flags=flags).config
    except ConfigError:
        return
    if "cache.dir" in flags:
        assert config.cache.dir == flags["cache.dir"]
