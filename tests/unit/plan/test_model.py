from __future__ import annotations

import pytest

from tests.values import make_host, make_inputs, make_interpreter, make_job
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.model import Base, ImageSpec, namespace_of


@pytest.mark.parametrize(
    ("identifier", "python", "version"),
    [
        ("cp312-manylinux_x86_64", "cp312", "3.12"),
        ("cp39-manylinux_x86_64", "cp39", "3.9"),
        ("cp313t-manylinux_aarch64", "cp313t", "3.13"),
    ],
)
def test_a_jobs_python(identifier: str, python: str, version: str) -> None:
    job = make_job(identifier)
    assert (job.python, job.python_version) == (python, version)


@pytest.mark.parametrize(("arch", "platform"), [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")])
def test_the_platform_of_a_base(arch: str, platform: str) -> None:
    assert Base(arch, "registry.example/base:1").platform == platform


def test_a_jobs_image_is_found_by_its_name() -> None:
    table = {"arch": ["x86_64", "aarch64"], "libc": ["manylinux", "musllinux"], "python": ["cp312"]}
    plan = make_plan(make_inputs(table, host=make_host(emulated=frozenset({"aarch64"}))))
    assert {job.id: (plan.image_of(job).name, job.image) for job in plan.jobs} == {
        "cp312-manylinux_x86_64": ("manylinux_2_28", "manylinux_2_28_x86_64"),
        "cp312-manylinux_aarch64": ("manylinux_2_28", "manylinux_2_28_aarch64"),
        "cp312-musllinux_x86_64": ("musllinux_1_2", "musllinux_1_2_x86_64"),
        "cp312-musllinux_aarch64": ("musllinux_1_2", "musllinux_1_2_aarch64"),
    }


def test_an_image_is_named_for_each_architecture() -> None:
    spec = ImageSpec("x", "rpm", (Base("x86_64", "one"), Base("aarch64", "two")))
    assert [spec.name_for(arch) for arch in spec.architectures] == ["x_x86_64", "x_aarch64"]
    assert spec.base_for("aarch64").reference == "two"


def test_only_the_architectures_that_jobs_need_are_named() -> None:
    plan = make_plan(make_inputs({"arch": ["aarch64"], "python": ["cp312"]}, host=make_host(machine="aarch64")))
    assert plan.images[0].architectures == ("x86_64", "aarch64")
    assert plan.image_names() == ("manylinux_2_28_aarch64",)


def test_the_pythons_of_a_base_are_those_that_are_copied_and_its_own() -> None:
    found = (make_interpreter("cp312"), make_interpreter("cp310", "3.10.13"))
    assert Base("x86_64", interpreters=found, own_python="cp311").tags == {"cp310", "cp311", "cp312"}
    assert Base("x86_64", interpreters=found).tags == {"cp310", "cp312"}


@pytest.mark.parametrize(
    ("job_id", "namespace"),
    [
        ("cp312-manylinux_x86_64", "kern-x86_64-default"),
        ("cp313t-musllinux_aarch64", "kern-musllinux_aarch64-default"),
        ("cp312-manylinux_x86_64@avx512", "kern-x86_64-avx512"),
    ],
)
def test_namespaces_keep_projects_platforms_and_variants_apart(job_id: str, namespace: str) -> None:
    assert namespace_of("kern", job_id) == namespace
