from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.values import make_facts, make_inputs, make_request
from wheelkiln.build.configuration import digest_configuration
from wheelkiln.config.variants import VariantConfig


def _digest(table: dict[str, Any] | None = None, **changes: Any) -> str:
    return digest_configuration(make_request(make_inputs(table, **changes)))


@pytest.mark.parametrize(
    "table",
    [
        {"python": ["cp311"]},
        {"arch": ["aarch64"]},
        {"jobs": 4},
        {"cache": {"max-size": "1G", "mode": "read-only"}},
        {"hosts": {"arm": {"docker": "ssh://arm", "arch": ["aarch64"]}}},
        {"image": {"repository": "ghcr.io/acme/wheelkiln", "mirror": "https://mirror.example/debian"}},
        {"index": ["https://mirror.example/simple"]},
    ],
)
def test_machines_may_differ_in_what_reaches_no_wheel(table: dict[str, Any]) -> None:
    assert _digest(table) == _digest()


@pytest.mark.parametrize(
    "table",
    [
        {"policy": "manylinux_2_34"},
        {"frontend": "pip"},
        {"image": {"toolchain": "clang"}},
        {"image": {"packages": {"deb": ["libnuma-dev"]}}},
        {"repair": {"exclude": ["libcuda.so.*"]}},
        {"container": {"user": "root"}},
    ],
)
def test_settings_that_reach_wheels_count(table: dict[str, Any]) -> None:
    assert _digest(table) != _digest()


def test_so_do_the_projects_own_the_variants_and_the_users_variables() -> None:
    project = '[project]\nname = "kern"\nversion = "1.2"\n[tool.cibuildwheel]\nenvironment = { A = "1" }\n'
    request = make_request()
    found = [
        digest_configuration(request),
        _digest(facts=make_facts(project)),
        _digest(tests=False),
        digest_configuration(replace(request, variables={"CIBW_BEFORE_BUILD": "true"})),
        digest_configuration(replace(request, variant=VariantConfig(config_settings={"x": "1"}))),
    ]
    assert len(set(found)) == len(found)
