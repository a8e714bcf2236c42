from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.values import CIBUILDWHEEL, make_facts, make_host, make_inputs, make_interpreter
from wheelkiln.errors import ConfigError
from wheelkiln.plan.features import Toolchain
from wheelkiln.plan.make import images_of, make_plan
from wheelkiln.plan.model import Plan, Selection, SkipReason


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
    assert (image.name, image.family) == ("manylinux_2_28", "rpm")
    job = plan.jobs[0]
    assert (job.identifier, job.arch, job.image) == (job.id, "x86_64", "manylinux_2_28_x86_64")
    assert (job.variant, plan.image_names()) == ("default", ("manylinux_2_28_x86_64",))
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
    assert [image.name for image in plan.images] == ["manylinux_2_28"]
    assert plan.image_names() == ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64")
    assert {job.namespace for job in plan.jobs} == {"kern-x86_64-default", "kern-aarch64-default"}


def test_the_hosts_architecture_is_the_default() -> None:
    assert [job.arch for job in _plan({"python": ["cp312"]}, host=make_host(machine="aarch64")).jobs] == ["aarch64"]


def test_a_host_that_nothing_is_built_for() -> None:
    with pytest.raises(ConfigError, match="this machine's architecture 'riscv64'"):
        _plan(host=make_host(machine="riscv64"))


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


def test_a_py3_none_wheel_may_come_from_a_free_threaded_python() -> None:
    plan = _plan({"python": ["cp313t", "cp314"]}, facts=_abi3("py3"))
    assert [job.python for job in plan.jobs] == ["cp313t"]
    assert plan.skipped[0].covered_by == "cp313t-manylinux_x86_64"


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


def test_a_bootstrap_base_without_an_interpreter() -> None:
    plan = _plan({"image": {"base": "bootstrap"}}, interpreters=(make_interpreter("cp312"),))
    assert [job.python for job in plan.jobs] == ["cp311", "cp312"]  # cp311 is bookworm's own
    assert [skip.reason for skip in plan.skipped] == [SkipReason.NO_INTERPRETER] * 2
    assert plan.skipped[0].detail == "no CPython 3.10 for x86_64 on this machine: 'uv python install 3.10' adds one"


def test_an_interpreter_serves_its_own_architecture_only() -> None:
    host = make_host(emulated=frozenset({"aarch64"}))
    table = {"image": {"base": "bootstrap"}, "arch": ["x86_64", "aarch64"], "python": ["cp312", "cp313"]}
    interpreters = (make_interpreter("cp312"), make_interpreter("cp313", "3.13.0", arch="aarch64"))
    plan = _plan(table, host=host, interpreters=interpreters)
    assert _jobs(plan) == ["cp312-manylinux_x86_64", "cp313-manylinux_aarch64"]
    assert [skip.detail for skip in plan.skipped] == [
        "no CPython 3.13 for x86_64 on this machine: 'uv python install 3.13' adds one",
        "no CPython 3.12 for aarch64 on this machine: 'uv python install cpython-3.12-linux-aarch64-gnu' adds one",
    ]


def test_both_c_libraries_are_built_each_in_its_image() -> None:
    plan = _plan({"libc": ["musllinux", "manylinux"], "python": ["cp312"]})
    assert [(job.id, job.image, job.namespace) for job in plan.jobs] == [
        ("cp312-manylinux_x86_64", "manylinux_2_28_x86_64", "kern-x86_64-default"),
        ("cp312-musllinux_x86_64", "musllinux_1_2_x86_64", "kern-musllinux_x86_64-default"),
    ]
    assert [image.name for image in plan.images] == ["manylinux_2_28", "musllinux_1_2"]


def test_an_image_that_no_job_needs_is_not_in_the_plan() -> None:
    plan = _plan({"libc": ["musllinux", "manylinux"]}, selection=Selection(only=("*musllinux*",)))
    assert [image.name for image in plan.images] == ["musllinux_1_2"]


def test_a_stable_abi_wheel_covers_its_own_c_library_only() -> None:
    plan = _plan({"libc": ["musllinux", "manylinux"], "python": ["cp311", "cp312"]}, facts=_abi3("cp310"))
    assert _jobs(plan) == ["cp311-manylinux_x86_64", "cp311-musllinux_x86_64"]
    assert {skip.id: skip.covered_by for skip in plan.skipped} == {
        "cp312-manylinux_x86_64": "cp311-manylinux_x86_64",
        "cp312-musllinux_x86_64": "cp311-musllinux_x86_64",
    }


def test_the_projects_skip_of_musllinux_stays_in_force() -> None:
    facts = make_facts('[project]\nname = "kern"\n[tool.cibuildwheel]\nskip = "*-musllinux*"\n')
    plan = _plan({"libc": ["musllinux", "manylinux"], "python": ["cp312"]}, facts=facts)
    assert _jobs(plan) == ["cp312-manylinux_x86_64"]
    assert _why(plan) == {"cp312-musllinux_x86_64": "project-settings"}


def test_a_bootstrap_base_has_glibc() -> None:
    plan = _plan({"image": {"base": "bootstrap"}, "libc": ["manylinux", "musllinux"], "python": ["cp312"]})
    assert _jobs(plan) == ["cp312-manylinux_x86_64"]
    assert _why(plan) == {"cp312-musllinux_x86_64": "base-libc"}
    assert plan.skipped[0].detail == "a bootstrap base is debian, whose C library is glibc"
    assert [image.name for image in plan.images] == ["bootstrap"]


def test_a_bootstrap_base_has_no_free_threaded_python() -> None:
    plan = _plan({"image": {"base": "bootstrap"}, "python": ["cp313t", "cp314"]})
    assert [(skip.reason, skip.detail) for skip in plan.skipped] == [
        (SkipReason.NO_INTERPRETER, 'a bootstrap base has no free-threaded CPython: base = "pypa" has'),
        (
            SkipReason.NO_INTERPRETER,
            "no CPython 3.14 for x86_64 on this machine: 'uv python install 3.14' adds one",
        ),
    ]


_OLD = Toolchain("gcc", "9.4.0", frozenset({"avx512vnni", "dotprod"}))


def test_a_toolchain_that_is_known_to_lack_a_feature_builds_nothing() -> None:
    table = {"image": {"requires": ["avx512vnni", "amx-bf16", "sve2"]}, "python": ["cp312"]}
    plan = _plan(table, toolchains={"manylinux_2_28_x86_64": _OLD})
    assert _why(plan) == {"cp312-manylinux_x86_64": "toolchain"}
    assert plan.skipped[0].detail == ("image.requires: gcc 9.4.0 does not accept amx-bf16, which needs gcc >= 11")


@pytest.mark.parametrize(
    ("requires", "toolchains"),
    [
        (["avx512vnni"], {"manylinux_2_28_x86_64": _OLD}),
        (["amx-bf16"], {}),
        (["amx-bf16"], {"manylinux_2_28_aarch64": _OLD}),
        (["sve2"], {"manylinux_2_28_x86_64": _OLD}),
    ],
)
def test_what_is_not_known_to_lack_anything_is_built(requires: list[str], toolchains: dict[str, Toolchain]) -> None:
    table = {"image": {"requires": requires}, "python": ["cp312"]}
    assert _jobs(_plan(table, toolchains=toolchains)) == ["cp312-manylinux_x86_64"]


def test_a_feature_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"image.requires: 'avx512' is not a CPU feature"):
        _plan({"image": {"requires": ["avx512"]}})


def test_images_whose_bases_were_looked_up_are_those_of_the_plan() -> None:
    inputs = make_inputs({"image": {"base": "registry.example/acme/base:1"}})
    (image,) = images_of(inputs)
    bases = tuple(replace(base, digest="sha256:" + "9" * 64) for base in image.bases)
    plan = make_plan(inputs, (replace(image, bases=bases),))
    assert {base.digest for base in plan.images[0].bases} == {"sha256:" + "9" * 64}


@pytest.mark.parametrize(
    ("table", "codes"),
    [
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


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ({}, ["project-setting-root"]),
        ({"libc": ["musllinux"]}, ["project-setting-distribution"]),
        ({"libc": ["musllinux", "manylinux"]}, ["project-setting-root", "project-setting-distribution"]),
        ({"libc": ["musllinux", "manylinux"], "image": {"base": "bootstrap"}}, ["project-setting-distribution"]),
        ({"image": {"base": "registry.example/acme/base:1"}}, []),
    ],
)
def test_the_projects_commands_are_judged_by_every_base(table: dict[str, Any], codes: list[str]) -> None:
    facts = make_facts('[project]\nname = "kern"\n[tool.cibuildwheel]\nbefore-all = "yum install -y x"\n')
    assert [notice.code for notice in _plan(table, facts=facts).notices] == codes


def test_nothing_selected_is_a_plan_without_jobs_and_images() -> None:
    plan = _plan(selection=Selection(only=("nothing",)))
    assert (plan.jobs, plan.images, len(plan.skipped)) == ((), (), 4)


def test_an_identifier_is_known_by_the_facts_alone() -> None:
    facts = replace(CIBUILDWHEEL, identifiers=("cp312-manylinux_x86_64",))
    assert _jobs(_plan(cibuildwheel=facts)) == ["cp312-manylinux_x86_64"]
