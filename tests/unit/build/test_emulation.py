from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from tests.values import make_inputs, make_request
from wheelkiln.build.emulation import declared_isa, emulate_job
from wheelkiln.build.request import BuildRequest
from wheelkiln.config.variants import VariantConfig
from wheelkiln.verify.rules.model import Level

OK = {"subject": "kern", "ended": "ok"}
CRASH = {"subject": "kern", "ended": "signal", "signal": "SIGSEGV"}


def _request(
    root: Path,
    *isa: str,
    when: str = "declared",
    baseline: tuple[str, ...] = (),
    report: Any = None,
    **changes: Any,
) -> BuildRequest:
    verify = {"emulate": {"when": when}, "isa": {"baseline": list(baseline)}}
    inputs = make_inputs({"python": ["cp312"], "verify": verify})
    runner = FakeRunner({"docker run": Answer(f"wheelkiln-report: {json.dumps(report)}\n")})
    return make_request(inputs, runner, root, variant=VariantConfig(isa=isa), **changes)


@pytest.mark.parametrize(
    ("isa", "when", "level"),
    [
        (("x86-64-v3",), "declared", "x86-64-v3"),
        (("x86-64-v3", "armv8.2-a"), "declared", "x86-64-v3"),
        (("armv8.2-a",), "declared", ""),
        ((), "declared", ""),
        ((), "always", "x86-64"),
        (("x86-64-v3",), "never", ""),
    ],
)
def test_what_is_emulated_is_what_is_declared(tmp_path: Path, isa: tuple[str, ...], when: str, level: str) -> None:
    request = _request(tmp_path, *isa, when=when)
    found = declared_isa(request, request.plan.jobs[0])
    assert (found.level if found else "") == level


@pytest.mark.parametrize(("isa", "level"), [((), "x86-64-v2"), (("x86-64-v3",), "x86-64-v3")])
def test_a_baseline_is_a_declaration_where_a_variant_has_none(tmp_path: Path, isa: tuple[str, ...], level: str) -> None:
    request = _request(tmp_path, *isa, baseline=("x86-64-v2",))
    found = declared_isa(request, request.plan.jobs[0])
    assert found is not None
    assert found.level == level


def _emulate(request: BuildRequest, **levels: Level) -> tuple[list[str], list[str]]:
    """Return the codes of what is found, and what is said."""
    said: list[str] = []
    files = {"kern/_core.abi3.so": b"\x7fELF"}
    wheel = write_wheel(request.output_dir, files=files)
    named = {name.replace("_", "-"): level for name, level in levels.items()}
    findings = emulate_job(request, request.plan.jobs[0], wheel, named, run_id="run-1", say=said.append)
    return [f"{finding.severity} {finding.code}" for finding in findings], said


def test_what_was_done_is_said(tmp_path: Path) -> None:
    report = {"control": [OK], "start": {"ended": "ok"}, "emulated": [CRASH]}
    codes, said = _emulate(_request(tmp_path, "x86-64-v2", report=report))
    assert codes == ["warning emulate-differs"]
    assert said[0].startswith("imported on an emulated CPU (Nehalem) in ") or "no CPU is emulated" in said[0]


def test_rules_are_as_they_are_configured(tmp_path: Path) -> None:
    report = {"control": [CRASH], "start": {"ended": "ok"}, "emulated": [CRASH]}
    request = _request(tmp_path, "x86-64-v2", report=report)
    assert _emulate(request)[0] == ["error emulate-broken"]
    assert _emulate(request, emulate_broken=Level.OFF)[0] == []


def test_what_declares_nothing_is_not_run(tmp_path: Path) -> None:
    request = _request(tmp_path)
    assert _emulate(request) == ([], [])
    assert isinstance(request.engine.runner, FakeRunner)
    assert request.engine.runner.calls == []


def test_a_build_without_a_network_is_tried_without_one(tmp_path: Path) -> None:
    request = _request(tmp_path, "x86-64-v2", report={"control": [OK]}, offline=True)
    _emulate(request)
    assert isinstance(request.engine.runner, FakeRunner)
    assert [call.argv[-1].startswith("{") for call in request.engine.runner.calls] == [True]
