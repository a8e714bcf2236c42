from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.values import ARCHITECTURES, BOOTSTRAP, PYPA, make_bake_inputs
from wheelkiln.image.bake import BuildOptions, Provenance, make_final_bake, make_report_bake, render_labels
from wheelkiln.image.recipe import render_recipe

_REPORTS = {
    "x86_64": {"toolchain": "gcc 14.2.1 avx512bf16", "versions": "ccache 4.13.6; libc 2.28"},
    "aarch64": {"toolchain": "gcc 14.2.1 sve2", "versions": "ccache 4.13.6"},
}
_RECIPE = render_recipe(PYPA)
_PLATFORMS = ["linux/amd64", "linux/arm64"]


def _final(options: BuildOptions, architectures: tuple[str, ...] = ARCHITECTURES, **changes: Any) -> dict[str, Any]:
    bake = make_final_bake(make_bake_inputs(architectures=architectures, options=options, **changes), _REPORTS)
    targets: dict[str, Any] = bake["target"]
    assert bake["group"] == {"default": {"targets": list(targets)}}
    return targets


@pytest.mark.parametrize("architectures", [("x86_64",), ("aarch64",), ARCHITECTURES])
def test_the_first_solve_builds_all_and_brings_out_the_reports_alone(architectures: tuple[str, ...]) -> None:
    options = BuildOptions(no_cache=True, pull_base=True, cache_from=("type=gha",), cache_to=("type=gha",), push=True)
    bake = make_report_bake(make_bake_inputs(architectures=architectures, options=options), Path("/s/reports"))
    assert bake["group"]["default"]["targets"] == ["report"]
    assert bake["target"] == {
        "report": {
            "inherits": ["image"],
            "target": "report",
            "tags": [],
            "platforms": [{"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[arch] for arch in architectures],
            "output": ["type=local,dest=/s/reports"],
            "attest": ["type=provenance,disabled=true"],
            "no-cache": True,
            "pull": True,
            "args": {},
            "secret": [],
            "contexts": {},
            "cache-from": ["type=gha"],
        }
    }


def test_only_the_first_solve_builds_again_what_is_cached() -> None:
    targets = _final(BuildOptions(no_cache=True, pull_base=True, push=True, repository="ghcr.io/acme/kiln"))
    assert not [target for target in targets.values() if "no-cache" in target or "pull" in target]


def test_a_place_with_a_comma_is_one_field() -> None:
    bake = make_report_bake(make_bake_inputs(secrets={"pip": Path("/a,b/pip.conf")}), Path("/a,b/reports"))
    assert bake["target"]["report"]["output"] == ['type=local,"dest=/a,b/reports"']
    assert bake["target"]["report"]["secret"] == ['id=pip,"src=/a,b/pip.conf"']


@pytest.mark.parametrize("architectures", [("x86_64",), ARCHITECTURES])
def test_each_architecture_is_loaded_under_a_name_of_its_own(architectures: tuple[str, ...]) -> None:
    targets = _final(BuildOptions(), architectures)
    assert list(targets) == [f"image-{arch}" for arch in architectures]
    for arch in architectures:
        target = targets[f"image-{arch}"]
        assert target["inherits"] == ["image"]
        assert target["platforms"] == [PYPA.base_for(arch).platform]
        assert target["tags"] == [_RECIPE.references[f"manylinux_2_28_{arch}"]]
        assert target["output"] == ["type=docker"]
        assert target["attest"] == ["type=provenance,disabled=true"]


@pytest.mark.parametrize(
    ("load", "push", "cache"), [case for case in product((False, True), repeat=3) if case != (False, False, False)]
)
def test_the_cache_is_exported_once_and_of_all_architectures_together(load: bool, push: bool, cache: bool) -> None:
    cache_to = ("type=registry,ref=h/cache,mode=max",) if cache else ()
    targets = _final(BuildOptions(repository="h/r", load=load, push=push, cache_to=cache_to))
    exporting = [name for name, target in targets.items() if target.get("cache-to")]
    assert exporting == (["image"] if cache else [])
    assert [name for name in targets if name != "image"] == ([f"image-{arch}" for arch in ARCHITECTURES] * load)
    assert ("image" in targets) is (push or cache)
    if push or cache:
        assert targets["image"]["platforms"] == _PLATFORMS
        assert targets["image"]["cache-to"] == list(cache_to)


def test_what_is_pushed_is_one_name_for_all_architectures() -> None:
    target = _final(BuildOptions(repository="ghcr.io/acme/kiln", push=True, load=False))["image"]
    assert target["output"] == ["type=image,push=true"]
    assert target["tags"] == [f"ghcr.io/acme/kiln/manylinux_2_28:{_RECIPE.tag}"]


def test_a_cache_alone_makes_no_image_and_no_name() -> None:
    target = _final(BuildOptions(load=False, cache_to=("type=gha",)))["image"]
    assert (target["output"], target["tags"]) == (["type=cacheonly"], [])
    assert target["attest"] == ["type=provenance,disabled=true"]


@pytest.mark.parametrize(
    ("wanted", "attest"),
    [
        ((), ["type=provenance,disabled=true"]),
        (("provenance",), ["type=provenance"]),
        (("provenance", "sbom"), ["type=provenance", "type=sbom"]),
        (("sbom",), ["type=sbom", "type=provenance,disabled=true"]),
    ],
)
def test_attestations_are_those_that_are_wanted(wanted: tuple[str, ...], attest: list[str]) -> None:
    options = BuildOptions(repository="h/r", push=True, attestations=wanted)
    targets = _final(options)
    assert targets["image"]["attest"] == attest
    assert targets["image-x86_64"]["attest"] == ["type=provenance,disabled=true"]
    assert "mode=max" not in json.dumps(targets)


def test_reports_become_build_arguments_of_their_architecture() -> None:
    args = _final(BuildOptions())["image-x86_64"]["args"]
    assert args == {
        "TOOLCHAIN_AMD64": "gcc 14.2.1 avx512bf16",
        "VERSIONS_AMD64": "ccache 4.13.6; libc 2.28",
        "TOOLCHAIN_ARM64": "gcc 14.2.1 sve2",
        "VERSIONS_ARM64": "ccache 4.13.6",
    }
    dockerfile = _RECIPE.files["Dockerfile"]
    assert not [name for name in args if f"${{{name}}}" not in dockerfile]


def test_all_targets_of_the_second_solve_are_the_same_build() -> None:
    """Else the image that is loaded would not be the one that is pushed."""
    options = BuildOptions(repository="h/r", push=True, cache_from=("type=gha",))
    provenance = Provenance("https://host/x", "abc", 5)
    shared = [
        {key: target[key] for key in ("args", "labels", "secret", "contexts", "cache-from")}
        for target in _final(options, provenance=provenance, secrets={"ca": Path("/ca.pem")}).values()
    ]
    assert len(shared) == 3
    assert shared[0] == shared[1] == shared[2]


def test_the_steps_of_both_solves_are_the_same() -> None:
    """Arguments and secrets are part of a step's key in the cache: only labels may differ."""
    inputs = make_bake_inputs(
        BOOTSTRAP,
        secrets={"ca": Path("/ca.pem"), "pip": Path("/s/pip.conf")},
        build_args=("HTTPS_PROXY",),
        base_digests={"x86_64": "sha256:1", "aarch64": "sha256:2"},
        provenance=Provenance(epoch=5),
        contexts={"localhost/base": "oci-layout:///s/base@sha256:1"},
    )
    report = make_report_bake(inputs, Path("/s/reports"))["target"]["report"]
    final = make_final_bake(inputs, _REPORTS)["target"]["image-x86_64"]
    for key in ("secret", "contexts", "cache-from"):
        assert report[key] == final[key]
    assert report["args"].items() <= final["args"].items()
    assert report["args"] == {
        "BASE_DIGEST_AMD64": "sha256:1",
        "BASE_DIGEST_ARM64": "sha256:2",
        "SOURCE_DATE_EPOCH": "5",
    }


def test_secrets_are_files_and_a_proxy_is_in_none() -> None:
    inputs = make_bake_inputs(secrets={"pip": Path("/s/pip.conf"), "ca": Path("/ca.pem")}, build_args=("http_proxy",))
    target = make_report_bake(inputs, Path("/s/reports"))["target"]["report"]
    assert target["secret"] == ["id=ca,src=/ca.pem", "id=pip,src=/s/pip.conf"]
    assert target["args"] == {}  # bake is told to take it from its environment, by an option


@pytest.mark.parametrize(
    ("provenance", "labels"),
    [
        (Provenance(), {}),
        (Provenance(epoch=0), {"created": "1970-01-01T00:00:00Z"}),
        (
            Provenance("https://host/x", "abc", 1_700_000_000),
            {"created": "2023-11-14T22:13:20Z", "revision": "abc", "source": "https://host/x"},
        ),
    ],
)
def test_time_and_place_are_labels_only_where_they_are_known(provenance: Provenance, labels: dict[str, str]) -> None:
    expected = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
    assert render_labels(provenance) == expected
    assert _final(BuildOptions(), provenance=provenance)["image-x86_64"]["labels"] == expected
    epoch = _final(BuildOptions(), provenance=provenance)["image-x86_64"]["args"].get("SOURCE_DATE_EPOCH")
    assert epoch == (None if provenance.epoch is None else str(provenance.epoch))


def test_bake_files_are_json() -> None:
    inputs = replace(make_bake_inputs(), build_args=("http_proxy",))
    for bake in (make_report_bake(inputs, Path("/r")), make_final_bake(inputs, _REPORTS)):
        assert json.loads(json.dumps(bake)) == bake
