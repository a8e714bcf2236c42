from __future__ import annotations

from typing import Any

import pytest

from wheelkiln.config.load import parse_config
from wheelkiln.config.variants import VariantConfig, effective_config
from wheelkiln.errors import ConfigError


def _problem(table: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config({"variants": {"avx512": table}})
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"isa": ["AVX512"]}, "'AVX512' is not a level or feature such as"),
        ({"iso": ["avx2"]}, "variants.avx512.iso: unknown key; did you mean 'variants.avx512.isa'?"),
        ({"image": {"package": {}}}, "did you mean 'variants.avx512.image.packages'?"),
        ({"project-name": "-x"}, "'-x' is not a project's name"),
        ({"version-suffix": "-1"}, "'-1' is not a version suffix"),
        ({"environment": {"A-B": "x"}}, "'A-B' is not a variable's name"),
        ({"environment": {"A": "x\ny"}}, "is not a variable's name, or a value of one line"),
        ({"requires": ["numpy >"]}, "'numpy >' is not a requirement such as"),
        ({"readme": "/etc/passwd"}, "'/etc/passwd' is not a path below the project"),
        ({"patches": [{"file": "../x.patch"}]}, "'../x.patch' is not a path below the project"),
        ({"patches": [{"file": "x.patch", "versions": "1.x"}]}, "'1.x' is not a version specifier"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(table: dict[str, Any], told: str) -> None:
    assert told in _problem(table)


def test_a_name_is_one_that_job_ids_can_hold() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"variants": {"AVX 512": {}}})
    assert caught.value.problems == ("variants.AVX 512.[key]: 'AVX 512' is not a variant's name such as 'avx512'",)


def test_one_level_needs_no_list() -> None:
    config = parse_config({"variants": {"avx512": {"isa": "x86-64-v4"}}}).config
    assert config.variants["avx512"].isa == ("x86-64-v4",)


def test_a_variants_settings_come_to_the_projects() -> None:
    config = parse_config(
        {
            "index": ["https://a.example/simple"],
            "find-links": ["wheels"],
            "image": {"packages": {"deb": ["libnuma-dev"]}, "requires": ["x86-64-v3"]},
        }
    ).config
    own = VariantConfig.model_validate(
        {
            "index": ["https://b.example/simple", "https://a.example/simple"],
            "find-links": ["more"],
            "image": {"packages": {"deb": ["libtbb-dev", "libnuma-dev"]}, "requires": ["amx-bf16"]},
        }
    )
    effective = effective_config(config, own)
    assert effective.index == ("https://b.example/simple", "https://a.example/simple")
    assert effective.find_links == ("more", "wheels")
    assert effective.image.packages.deb == ("libnuma-dev", "libtbb-dev")
    assert effective.image.requires == ("x86-64-v3", "amx-bf16")
    assert effective_config(config, VariantConfig()) == config
