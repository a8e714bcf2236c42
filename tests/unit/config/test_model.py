from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wheelkiln.config.model import Config, Frontend


def _validate(table: dict[str, Any]) -> Config:
    return Config.model_validate(table)


def test_the_defaults() -> None:
    config = _validate({})
    assert config.python == ("cp310", "cp311", "cp312", "cp313")
    assert config.arch == ()
    assert config.policy == "manylinux_2_28"
    assert config.frontend is Frontend.BUILD
    assert (config.image.base, config.image.release) == ("pypa", "auto")
    assert (config.cache.dir, config.cache.max_size) == ("auto", "10G")
    assert (config.container.user, config.container.network) == ("builder", "default")


def test_keys_are_written_with_dashes() -> None:
    config = _validate({"cache": {"max-size": "500M"}, "repair": {"library-dirs": ["kern/lib", "/opt/lib"]}})
    assert config.cache.max_size == "500M"
    assert config.repair.library_dirs == ("kern/lib", "/opt/lib")


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(_validate({}), "policy", "manylinux2014")  # noqa: B010 - mypy forbids the plain form


_HOSTILE = ["x y", "x\ny", "x\n", "$(id)", "`id`", "x;id", "x|y", "x'y", 'x"y', "-x", "", " x", "<<x>>"]
"""What must never reach a Dockerfile or a shell."""


@pytest.mark.parametrize("value", _HOSTILE)
@pytest.mark.parametrize("key", ["base", "release"])
def test_hostile_image_values_are_refused(key: str, value: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {key: value}})


@pytest.mark.parametrize("value", _HOSTILE)
@pytest.mark.parametrize("family", ["deb", "rpm"])
def test_hostile_package_names_are_refused(family: str, value: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {"packages": {family: [value]}}})


@pytest.mark.parametrize("value", _HOSTILE)
def test_hostile_sonames_are_refused(value: str) -> None:
    if value == "-x":
        return  # it follows --exclude as its value
    with pytest.raises(ValidationError):
        _validate({"repair": {"exclude": [value]}})


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"python": ["cp27"]}, "python"),
        ({"python": ["cp3"]}, "python"),
        ({"python": ["312"]}, "python"),
        ({"python": []}, "python"),
        ({"arch": ["armv7l"]}, "arch"),
        ({"policy": "musllinux_1_2"}, "policy"),
        ({"policy": "manylinux_2_28_x86_64"}, "policy"),
        ({"frontend": "uv"}, "frontend"),
        ({"cache": {"max-size": "10"}}, "cache"),
        ({"cache": {"max-size": "a lot"}}, "cache"),
        ({"container": {"network": "bridge"}}, "container"),
        ({"container": {"user": "me"}}, "container"),
        ({"repair": {"library-dirs": ["../outside"]}}, "repair"),
        ({"repair": {"library-dirs": ["a/../../b"]}}, "repair"),
        ({"repair": {"library-dirs": [""]}}, "repair"),
        ({"pythn": ["cp312"]}, "pythn"),
    ],
)
def test_wrong_values_are_refused(table: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _validate(table)
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


@pytest.mark.parametrize(
    "table",
    [
        {"python": ["cp39", "cp313t", "cp314"]},
        {"policy": "manylinux2014"},
        {"policy": "manylinux_2_34"},
        {"image": {"base": "registry.example/acme/base:1.2@sha256:" + "a" * 64}},
        {"image": {"base": "localhost:5000/base"}},
        {"image": {"base": "bootstrap", "release": "trixie"}},
        {"image": {"packages": {"deb": ["libnuma-dev", "g++-12", "libc6:amd64", "x=1.2~rc1"]}}},
        {"cache": {"max-size": "1.5Gi"}},
        {"repair": {"exclude": ["libcuda.so.*", "lib[ab]?.so"]}},
        {"repair": {"library-dirs": ["kern/..lib", "/abs/../x"]}},
    ],
)
def test_what_is_right_is_accepted(table: dict[str, Any]) -> None:
    dumped = _validate(table).model_dump(mode="json", by_alias=True)
    for key, value in table.items():
        if isinstance(value, dict):
            assert {inner: dumped[key][inner] for inner in value if inner != "packages"} == {
                inner: held for inner, held in value.items() if inner != "packages"
            }
        else:
            assert dumped[key] == value


def test_every_leaf_is_documented() -> None:
    schema = Config.model_json_schema(by_alias=True)
    sections = {name: section for name, section in schema["$defs"].items() if "properties" in section}
    bare = [
        f"{name}.{key}"
        for name, section in {"Config": schema, **sections}.items()
        for key, value in section["properties"].items()
        if "$ref" not in value and not value.get("description")
    ]
    assert bare == []
