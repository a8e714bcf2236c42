from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.values import CIBUILDWHEEL, make_facts, make_host, make_inputs, make_interpreter
from wheelkiln.errors import ConfigError
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.model import Plan, Selection, SkipReason

_PYPA = "registry.example/pypa/manylinux_2_28_x86_64@sha256:" + "2" * 64


def _plan(table: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return make_plan(make_inputs(table, **changes))


def _jobs(plan: Plan) -> list[str]:
    return [job.id for job in plan.jobs]


def _why(plan: Plan) -> dict[str, str]:
    return {skip.id: skip.reason.value for skip in plan.skipped}


def test_the_default_plan() -> None:
    plan = _plan()
    assert (plan.project, plan.version) == ("kern", "1.2")
    assert _jobs(plan) == [f"cp31{minor}-manylinux_x86_64" for minor in range(4)]
    assert plan.skipped == ()
    assert plan.notices == ()
    (image,) = plan.images
    assert (image.name, image.base, image.family) == ("manylinux_2_28_x86_64", _PYPA, "rpm")
    job = plan.jobs[0]
    assert (job.identifier, job.arch, job.image, job.variant) == (job.id, "x86_64", image.name, "default")
    assert (job.namespace, job.emulated, job.estimate) == ("kern-x86_64-default", False, None)


def test_pythons_are_ordered_by_version_and_named_once() -> None:
    plan = _plan({"python": ["cp314", "cp39", "cp313t", "cp313", "cp314", "cp310"]})
    assert [job.python for job in plan.jobs] == ["cp39", "cp310", "cp313", "cp313t", "cp314"]


def test_estimates_are_of_the_job() -> None:
    plan = _plan(estimates={"cp311-manylinux_x86_64": 12.5, "other": 1.0})
    assert {job.python: job.estimate for job in plan.jobs} == {
        "cp310": None,
        "cp311": 12.5,
        "cp312": None,
        "cp313": None,
    }


def test_another_architecture_needs_an_emulator() -> None:
    plan = _plan({"arch": ["aarch64"], "python": ["cp312"]})
    assert _jobs(plan) == []
    assert plan.images == ()
    assert plan.skipped[0].reason is SkipReason.NO_EMULATOR
    assert plan.skipped[0].detail == "this machine is x86_64 and binfmt_misc has no emulator for aarch64"


def test_both_architectures_with_an_emulator() -> None:
    host = make_host(emulated=frozenset({"aarch64"}))
    plan = _plan({"arch": ["aarch64", "x86_64"], "python": ["cp312"]}, host=host)
    assert [(job.id, job.emulated) for job in plan.jobs] == [
        ("cp312-manylinux_x86_64", False),
        ("cp312-manylinux_aarch64", True),
    ]
    assert [image.name for image in plan.images] == ["manylinux_2_28_x86_64", "manylinux_2_28_aarch64"]
    assert {job.namespace for job in plan.jobs} == {"kern-x86_64-default", "kern-aarch64-default"}


def test_the_hosts_architecture_is_the_default() -> None:
    assert [job.arch for job in _plan({"python": ["cp312"]}, host=make_host(machine="aarch64")).jobs] == ["aarch64"]


def test_a_host_that_nothing_is_built_for() -> None:
    with pytest.raises(ConfigError, match="this machine's architecture 'riscv64'"):
        _plan(host=make_host(machine="riscv64"))


def test_a_policy_without_a_pinned_image() -> None:
    with pytest.raises(ConfigError, match=r"cibuildwheel 4.3.3 pins no manylinux_2_99 image for x86_64") as caught:
        _plan({"policy": "manylinux_2_99"})
    assert "manylinux2014, manylinux_2_28, manylinux_2_31, manylinux_2_34" in caught.value.hint


def test_requires_python_skips() -> None:
    facts = make_facts('[project]\nname = "kern"\nversion = "1"\nrequires-python = ">=3.11,<3.13"\n')
    plan = _plan(facts=facts)
    assert [job.python for job in plan.jobs] == ["cp311", "cp312"]
    assert _why(plan) == {
        "cp310-manylinux_x86_64": "requires-python",
        "cp313-manylinux_x86_64": "requires-python",
    }
    assert plan.skipped[0].detail == "requires-python is >=3.11,<3.13"


def test_an_identifier_that_cibuildwheel_does_not_know() -> None:
    plan = _plan({"python": ["cp312", "cp399"]})
    assert _why(plan) == {"cp399-manylinux_x86_64": "unknown-identifier"}
    assert plan.skipped[0].detail == "cibuildwheel 4.3.3 does not know it"


def test_only_and_skip_are_globs_on_job_ids() -> None:
    assert _jobs(_plan(selection=Selection(only=("cp31[12]-*",)))) == [
        "cp311-manylinux_x86_64",
        "cp312-manylinux_x86_64",
    ]
    plan = _plan(selection=Selection(skip=("cp310-*", "*nothing*")))
    assert [job.python for job in plan.jobs] == ["cp311", "cp312", "cp313"]
    assert plan.skipped[0].reason is SkipReason.NOT_SELECTED
    assert plan.skipped[0].detail == "--skip cp310-* *nothing* names it"


def test_skip_wins_over_only() -> None:
    selection = Selection(only=("cp311-*", "cp312-*"), skip=("cp312-*",))
    assert _jobs(_plan(selection=selection)) == ["cp311-manylinux_x86_64"]


def test_the_projects_own_selection_stays_in_force() -> None:
    facts = make_facts(
        '[project]\nname = "kern"\n[tool.cibuildwheel]\nbuild = "cp31{1,2,3}-*"\nskip = ["cp311-*", "*musl*"]\n'
    )
    plan = _plan(facts=facts)
    assert [job.python for job in plan.jobs] == ["cp312", "cp313"]
    assert [skip.detail for skip in plan.skipped] == [
        "[tool.cibuildwheel] build = 'cp31{1,2,3}-*' leaves it out",
        "[tool.cibuildwheel] skip = 'cp311-* *musl*' names it",
    ]
    assert len(_plan(facts=facts, use_project_settings=False).jobs) == 4


def _abi3(tag: str) -> Any:
    return make_facts(f'[project]\nname = "kern"\n[tool.scikit-build]\nwheel.py-api = "{tag}"\n')


def test_a_stable_abi_project_is_built_once_from_its_first_python_on() -> None:
    plan = _plan(facts=_abi3("cp311"))
    assert [job.python for job in plan.jobs] == ["cp310", "cp311"]
    assert [(skip.id[:5], skip.reason.value, skip.covered_by[:5]) for skip in plan.skipped] == [
        ("cp312", "stable-abi", "cp311"),
        ("cp313", "stable-abi", "cp311"),
    ]
    assert plan.skipped[0].detail == (
        "the cp311-abi3 wheel of cp311-manylinux_x86_64 is expected to serve it; the wheel that is built decides"
    )


def test_free_threaded_pythons_have_no_stable_abi() -> None:
    plan = _plan({"python": ["cp311", "cp312", "cp313t", "cp314"]}, facts=_abi3("cp310"))
    assert [job.python for job in plan.jobs] == ["cp311", "cp313t"]


def test_a_free_threaded_python_starts_no_stable_abi() -> None:
    plan = _plan({"python": ["cp313t", "cp314"]}, facts=_abi3("cp310"))
    assert [job.python for job in plan.jobs] == ["cp313t", "cp314"]


def test_a_py3_none_project_is_built_once_for_all() -> None:
    plan = _plan({"python": ["cp39", "cp312", "cp313t"]}, facts=_abi3("py3"))
    assert [job.python for job in plan.jobs] == ["cp39"]
    assert plan.skipped[1].detail.startswith("the py3-none wheel of cp39-manylinux_x86_64")


def test_a_later_start_of_the_stable_abi_covers_nothing() -> None:
    plan = _plan({"python": ["cp310", "cp311"]}, facts=_abi3("cp313"))
    assert [job.python for job in plan.jobs] == ["cp310", "cp311"]


def test_the_covering_job_is_one_that_is_built() -> None:
    plan = _plan(facts=_abi3("cp310"), selection=Selection(skip=("cp310-*",)))
    assert [job.python for job in plan.jobs] == ["cp311"]
    assert {skip.covered_by for skip in plan.skipped} == {"", "cp311-manylinux_x86_64"}


def test_a_stable_abi_covers_its_own_architecture_only() -> None:
    host = make_host(emulated=frozenset({"aarch64"}))
    plan = _plan({"arch": ["x86_64", "aarch64"], "python": ["cp311", "cp312"]}, host=host, facts=_abi3("cp310"))
    assert _jobs(plan) == ["cp311-manylinux_x86_64", "cp311-manylinux_aarch64"]


def test_a_bootstrap_base_is_of_this_machine() -> None:
    plan = _plan({"image": {"base": "bootstrap", "packages": {"deb": ["b", "a", "b"], "rpm": ["r"]}}})
    (image,) = plan.images
    assert (image.name, image.base, image.family) == ("bootstrap_x86_64", "bootstrap", "deb")
    assert (image.distribution, image.release) == ("debian", "bookworm")
    assert (image.deb, image.rpm) == (("a", "b"), ())
    assert [found.tag for found in image.interpreters] == ["cp310", "cp311", "cp312", "cp313"]


@pytest.mark.parametrize(
    ("distribution", "release", "wanted", "made"),
    [
        ("ubuntu", "noble", "auto", ("ubuntu", "noble")),
        ("debian", "trixie", "sid", ("debian", "sid")),
        ("fedora", "", "auto", ("debian", "bookworm")),
        ("fedora", "", "trixie", ("debian", "trixie")),
        ("", "", "auto", ("debian", "bookworm")),
    ],
)
def test_the_release_of_a_bootstrap_base(distribution: str, release: str, wanted: str, made: tuple[str, str]) -> None:
    host = make_host(distribution=distribution, release=release)
    (image,) = _plan({"image": {"base": "bootstrap", "release": wanted}}, host=host).images
    assert (image.distribution, image.release) == made


def test_a_bootstrap_base_without_an_interpreter() -> None:
    plan = _plan({"image": {"base": "bootstrap"}}, interpreters=(make_interpreter("cp311", "3.11.7"),))
    assert [job.python for job in plan.jobs] == ["cp311"]
    assert plan.skipped[0].reason is SkipReason.NO_INTERPRETER
    assert plan.skipped[0].detail == "no CPython 3.10 on this machine: 'uv python install 3.10' adds one"


def test_a_bootstrap_base_is_not_for_another_architecture() -> None:
    host = make_host(emulated=frozenset({"aarch64"}))
    plan = _plan({"image": {"base": "bootstrap"}, "arch": ["aarch64"], "python": ["cp312"]}, host=host)
    assert _why(plan) == {"cp312-manylinux_aarch64": "base-architecture"}


@pytest.mark.parametrize(
    ("policy", "family"), [("manylinux_2_28", "rpm"), ("manylinux2014", "rpm"), ("manylinux_2_31", "deb")]
)
def test_the_family_of_the_official_images(policy: str, family: str) -> None:
    table = {"policy": policy, "image": {"packages": {"deb": ["d"], "rpm": ["r"]}}}
    (image,) = _plan(table).images
    assert image.family == family
    assert (image.deb, image.rpm) == ((("d",), ()) if family == "deb" else ((), ("r",)))


def test_a_base_of_ones_own_may_be_of_any_family() -> None:
    table = {"image": {"base": "registry.example/acme/base:1", "packages": {"deb": ["d"], "rpm": ["r"]}}}
    (image,) = _plan(table).images
    assert (image.name, image.base, image.family) == ("custom_x86_64", "registry.example/acme/base:1", "")
    assert (image.deb, image.rpm) == (("d",), ("r",))


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ({"frontend": "pip"}, ["frontend-pip"]),
        ({"image": {"base": "bootstrap"}, "policy": "manylinux2014"}, ["policy-bootstrap"]),
        ({"image": {"base": "bootstrap"}}, []),
    ],
)
def test_notices(table: dict[str, Any], codes: list[str]) -> None:
    plan = _plan(table)
    assert [notice.code for notice in plan.notices] == codes
    assert all(notice.hint for notice in plan.notices)


def test_notices_of_the_projects_settings_are_the_plans() -> None:
    facts = make_facts('[project]\nname = "kern"\n[tool.cibuildwheel]\nbuild-frontend = "pip"\n')
    assert [notice.code for notice in _plan(facts=facts).notices] == ["project-setting-left-out"]


def test_nothing_selected_is_a_plan_without_jobs_and_images() -> None:
    plan = _plan(selection=Selection(only=("nothing",)))
    assert (plan.jobs, plan.images, len(plan.skipped)) == ((), (), 4)


def test_an_identifier_is_known_by_the_facts_alone() -> None:
    facts = replace(CIBUILDWHEEL, identifiers=("cp312-manylinux_x86_64",))
    assert _jobs(_plan(cibuildwheel=facts)) == ["cp312-manylinux_x86_64"]
