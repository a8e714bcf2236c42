from __future__ import annotations

import pytest

from tests.values import make_host, make_inputs, make_job
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.model import ImageSpec


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
def test_an_images_platform(arch: str, platform: str) -> None:
    assert ImageSpec("x", arch, "base", "rpm").platform == platform


def test_a_jobs_image_is_found_by_its_name() -> None:
    plan = make_plan(make_inputs({"arch": ["x86_64", "aarch64"]}, host=make_host(emulated=frozenset({"aarch64"}))))
    assert {job.arch: plan.image_of(job).arch for job in plan.jobs} == {"x86_64": "x86_64", "aarch64": "aarch64"}
