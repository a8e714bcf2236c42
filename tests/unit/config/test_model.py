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
    assert (config.libc, config.musl_policy) == (("manylinux",), "musllinux_1_2")
    assert (config.image.base, config.image.release) == ("pypa", "auto")
    assert (config.image.toolchain, config.image.linker, config.image.ccache) == ("gcc", "default", "auto")
    assert (config.image.attestations, config.image.sccache, config.hosts) == ("auto", False, {})
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
@pytest.mark.parametrize("family", ["deb", "rpm", "apk"])
def test_hostile_package_names_are_refused(family: str, value: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {"packages": {family: [value]}}})


@pytest.mark.parametrize("value", _HOSTILE)
def test_hostile_packages_of_a_base_are_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {"base-packages": [value]}})


@pytest.mark.parametrize("value", _HOSTILE)
@pytest.mark.parametrize("key", ["repository", "mirror", "download-mirror"])
def test_hostile_places_are_refused(key: str, value: str) -> None:
    if not value:
        return  # none
    with pytest.raises(ValidationError):
        _validate({"image": {key: value}})


@pytest.mark.parametrize("value", ["x y", "x\ny", "x\n", "-x", "--driver=remote", " x"])
def test_an_endpoint_is_one_word_and_no_option(value: str) -> None:
    for table in (
        {"image": {"builder": {"endpoint": value}}},
        {"image": {"builder": {"name": value}}},
        {"hosts": {"graviton": {"docker": value, "arch": ["aarch64"]}}},
    ):
        with pytest.raises(ValidationError):
            _validate(table)


@pytest.mark.parametrize("name", [*_HOSTILE, "io.wheelkiln.recipe", "a=b"])
def test_hostile_names_of_labels_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {"labels": {name: "x"}}})


@pytest.mark.parametrize("value", ["x\ny", "x\r", "\0", "\x1b[31m", "\u2028"])
def test_a_label_is_a_line_of_text(value: str) -> None:
    with pytest.raises(ValidationError):
        _validate({"image": {"labels": {"a": value}}})


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
        ({"libc": []}, "libc"),
        ({"libc": ["uclibc"]}, "libc"),
        ({"musl-policy": "manylinux_2_28"}, "musl-policy"),
        ({"musl-policy": "musllinux_1"}, "musl-policy"),
        ({"musl-policy": "musllinux_1_2_x86_64"}, "musl-policy"),
        ({"image": {"toolchain": "icc"}}, "image"),
        ({"image": {"linker": "gold"}}, "image"),
        ({"image": {"ccache": "none"}}, "image"),
        ({"image": {"sccache": "maybe"}}, "image"),
        ({"image": {"base": "acme/base_{machine}:1"}}, "image"),
        ({"image": {"mirror": "ftp://mirror.example"}}, "image"),
        ({"image": {"download-mirror": "mirror.example"}}, "image"),
        ({"image": {"repository": "ghcr.io/acme/wheelkiln:1"}}, "image"),
        ({"image": {"repository": "https://ghcr.io/acme"}}, "image"),
        ({"image": {"repository": "ghcr.io/Acme"}}, "image"),
        ({"image": {"cache-from": "type=gha"}}, "image"),
        ({"image": {"cache-to": ["type=local, dest=x"]}}, "image"),
        ({"image": {"attestations": "sbom"}}, "image"),
        ({"image": {"attestations": ["auto"]}}, "image"),
        ({"image": {"attestations": [{}]}}, "image"),
        ({"image": {"labels": {"a": 1}}}, "image"),
        ({"image": {"builder": {"driver": "docker"}}}, "image"),
        ({"image": {"builder": {"options": {"network": 1}}}}, "image"),
        ({"hosts": ["graviton"]}, "hosts"),
        ({"hosts": {"graviton": {"arch": ["aarch64"]}}}, "hosts"),
        ({"hosts": {"graviton": {"docker": "", "arch": ["aarch64"]}}}, "hosts"),
        ({"hosts": {"graviton": {"docker": "ssh://ci@graviton", "arch": []}}}, "hosts"),
        ({"hosts": {"graviton": {"docker": "ssh://ci@graviton", "arch": ["arm64"]}}}, "hosts"),
        ({"hosts": {"graviton": {"docker": "ssh://ci@graviton", "arch": ["aarch64"], "x": 1}}}, "hosts"),
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
        {"image": {"packages": {"apk": ["numactl-dev", "g++", "zlib-dev=1.3.1-r2"]}}},
        {"image": {"base": "registry.example/acme/base_{arch}:1"}},
        {"image": {"toolchain": "clang", "linker": "mold", "ccache": "static", "sccache": True}},
        {"image": {"requires": ["avx512bf16", "sve2"], "base-packages": ["libnuma1"]}},
        {"image": {"mirror": "http://mirror.example/debian", "download-mirror": "https://mirror.example:8443/gh/"}},
        {"image": {"mirror": "", "download-mirror": "", "repository": ""}},
        {"image": {"repository": "localhost:5000/wheelkiln"}},
        {"image": {"cache-from": ["type=registry,ref=x", "type=gha"], "cache-to": ["type=inline"]}},
        {"image": {"attestations": "none"}},
        {"image": {"attestations": ["provenance", "sbom"]}},
        {"image": {"attestations": []}},
        {"image": {"labels": {"org.opencontainers.image.vendor": 'Acmé "Inc." $HOME \\'}}},
        {
            "image": {
                "builder": {
                    "name": "big",
                    "driver": "remote",
                    "endpoint": "tcp://buildkit.example:1234",
                    "options": {"cacert": "/ca.pem"},
                }
            }
        },
        {"libc": ["musllinux", "manylinux"], "musl-policy": "musllinux_1_1"},
        {"hosts": {"g": {"docker": "ssh://ci@g", "arch": ["aarch64"], "slots": 3, "certificates": "~/c"}}},
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
