"""Shards that are built apart and merged are the same wheels as one whole build."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())

PYTHONS = ("--python", "cp311", "--python", "cp312", "--python", "cp313")
ANEW = ("--fresh", "--no-store")


def digests(house: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in house.glob("*.whl")}


def build(tool: Tool, source: Path, house: str, *more: str) -> Path:
    ran = tool.build(".", *PYTHONS, *ANEW, "-o", house, *more, cwd=source)
    assert ran.code == 0, ran.stderr
    return source / house


def merge(tool: Tool, source: Path, *places: str, target: str = "merged") -> Path:
    ran = tool.run("merge", *places, "-o", target, "--cache-dir", str(tool.cache), cwd=source)
    assert ran.code == 0, ran.stderr
    return source / target


def test_two_shards_merged_are_one_build(tool: Tool, project: Any) -> None:
    source = project("plain")
    whole = build(tool, source, "whole")
    shards = [build(tool, source, f"s{number}", "--shard", f"{number}/2") for number in (1, 2)]
    assert [len(digests(shard)) for shard in shards] == [2, 1]
    assert tool.run("merge", "s1", "-o", "merged", "--cache-dir", str(tool.cache), cwd=source).code == 8
    merged = merge(tool, source, "s1", "s2")
    assert digests(merged) == digests(whole)
    told, unsharded = manifest(merged), manifest(whole)
    assert [job["id"] for job in told["jobs"]] == [job["id"] for job in unsharded["jobs"]]
    assert told["sources"] == unsharded["sources"]
    assert told["skipped"] == unsharded["skipped"]
    assert [(shard["number"], shard["count"]) for shard in told["shards"]] == [(1, 2), (2, 2)]
    before = {path.name: path.read_bytes() for path in merged.iterdir()}
    merge(tool, source, "merged", "s2")
    assert {path.name: path.read_bytes() for path in merged.iterdir()} == before


def test_a_plan_says_where_each_job_is_built_and_more_shards_than_jobs_do_no_harm(tool: Tool, project: Any) -> None:
    source = project("plain")
    options = ["--base", "bootstrap", "--cache-dir", str(tool.cache), *PYTHONS]
    ran = tool.run("plan", ".", *options, "--shards", "4", "--format", "json", cwd=source)
    assert ran.code == 0, ran.stderr
    (source / "plan.json").write_text(ran.stdout)
    planned = [shard["jobs"] for shard in json.loads(ran.stdout)["shards"]]
    for number, jobs in enumerate(planned, start=1):
        house = build(tool, source, f"s{number}", "--plan", "plan.json", "--shard", f"{number}/4")
        assert [job["id"] for job in manifest(house)["jobs"]] == jobs
    assert sorted(map(len, planned)) == [0, 1, 1, 1]
    assert len(digests(merge(tool, source, "s1", "s2", "s3", "s4"))) == 3


def test_a_stable_abi_that_nothing_declares_is_one_wheel_of_one_shard(tool: Tool, project: Any) -> None:
    source = project("stable-abi")
    setup = source / "setup.py"
    setup.write_text(setup.read_text().replace('"cp311"', '"cp3" + "11"'))
    whole = build(tool, source, "whole")
    for number in (1, 2, 3):
        build(tool, source, f"s{number}", "--shard", f"{number}/3")
    assert [len(digests(source / f"s{number}")) for number in (1, 2, 3)] == [1, 0, 0]
    made = digests(source / "s1")
    merged = merge(tool, source, "s1", "s2", "s3", target="s1")
    assert digests(merged) == made
    assert list(made) == list(digests(whole)), "whose jobs run side by side: any of them may land it first"
    assert [job["status"] for job in manifest(merged)["jobs"]] == ["built", "covered", "covered"]


def test_variants_on_different_machines_are_one_wheelhouse(tool: Tool, project: Any) -> None:
    source = project("plain")
    with (source / "pyproject.toml").open("a") as file:
        file.write(
            "\n[tool.wheelkiln.variants.default]\n"
            '[tool.wheelkiln.variants.fast]\nproject-name = "plainkernel-fast"\nenvironment = { CFLAGS = "-O3" }\n'
        )
    one = ("--python", "cp312", *ANEW)
    whole = tool.build(".", *one, "-o", "whole", cwd=source)
    assert whole.code == 0, whole.stderr
    assert len(digests(source / "whole")) == 2
    for number in (1, 2):
        ran = tool.build(".", *one, "-o", f"s{number}", "--shard", f"{number}/2", cwd=source)
        assert ran.code == 0, ran.stderr
        assert len(digests(source / f"s{number}")) == 1
    merged = merge(tool, source, "s1", "s2")
    assert digests(merged) == digests(source / "whole")
    assert manifest(merged)["sources"] == manifest(source / "whole")["sources"]

    alone = tool.build(".", *one, "-o", "alone", "--variant", "fast", cwd=source)
    assert alone.code == 0, alone.stderr
    assert digests(merge(tool, source, "alone", "whole", target="again")) == digests(merged), "a variant by itself"
