from __future__ import annotations

import json
from typing import Any

import pytest

from wheelkiln.verify.emulated_outcome import Setting, Trial, judge, parse_trial
from wheelkiln.verify.findings import Finding, Severity

SETTING = Setting(wheel="kern.whl", declared="x86-64-v2", cpu="Nehalem", top=("kern",))
OK = {"ended": "ok"}
ILLEGAL = {"ended": "signal", "signal": "SIGILL"}
CRASH = {"ended": "signal", "signal": "SIGSEGV", "output": "Fatal Python error: Segmentation fault\n"}
RAISED = {"ended": "exception", "output": 'Traceback:\n  File "kern/__init__.py"\nImportError: no table\n'}
FAULT = {"file": "_core.so", "offset": 0x1167, "function": "scale", "instruction": "vaddps %zmm0", "code": "62f1"}


def _trial(control: dict[str, Any], emulated: dict[str, Any] | None, subject: str = "kern") -> Trial:
    table: dict[str, Any] = {"control": [{"subject": subject, **control}]}
    if emulated is not None:
        table["emulated"] = [{"subject": subject, **emulated}]
    return parse_trial(json.dumps(table))


def _judge(control: dict[str, Any], emulated: dict[str, Any] | None, subject: str = "kern") -> list[Finding]:
    findings, notes = judge(_trial(control, emulated, subject), SETTING)
    assert notes == ()
    return list(findings)


def _note(control: dict[str, Any], emulated: dict[str, Any] | None) -> str:
    findings, notes = judge(_trial(control, emulated), SETTING)
    assert findings == ()
    return " ".join(notes)


def test_what_works_on_both_is_fine() -> None:
    assert _judge(OK, OK) == []


def test_an_illegal_instruction_on_the_emulated_cpu_alone_needs_a_newer_one() -> None:
    (finding,) = _judge(OK, {**ILLEGAL, "fault": FAULT})
    assert (finding.code, finding.severity) == ("emulate-illegal-instruction", Severity.ERROR)
    assert "importing kern meets an instruction" in finding.message
    assert "x86-64-v2 (emulated: Nehalem)" in finding.message
    assert finding.message.endswith("this machine's own CPU knows it")
    assert finding.details == ("_core.so: vaddps %zmm0 in scale, at 0x1167",)


def test_an_illegal_instruction_on_both_says_so() -> None:
    (finding,) = _judge(ILLEGAL, {**ILLEGAL, "fault": FAULT})
    assert finding.code == "emulate-illegal-instruction"
    assert finding.message.endswith("this machine's own CPU does not know it either")


@pytest.mark.parametrize("code", ["0f0b4889", "0fb9c000"])
def test_an_instruction_that_is_meant_to_stop_is_no_matter_of_the_level(code: str) -> None:
    stopped = {**ILLEGAL, "fault": {**FAULT, "code": code}}
    assert [finding.code for finding in _judge(stopped, stopped)] == ["emulate-broken"]


def test_qemus_word_about_a_process_that_the_command_started_counts() -> None:
    output = "qemu: uncaught target signal 4 (Illegal instruction) - core dumped\nCalledProcessError\n"
    (finding,) = _judge(OK, {"ended": "exit", "output": output}, subject="")
    assert finding.code == "emulate-illegal-instruction"
    assert finding.message.startswith("the command meets")


def test_sdes_word_counts() -> None:
    output = "TID 0 SDE-ERROR: Executed instruction not valid for specified chip (SKYLAKE): 0x7f: tilezero tmm0\n"
    (finding,) = _judge(OK, {"ended": "exit", "output": output})
    assert finding.code == "emulate-illegal-instruction"
    assert finding.details == ("not valid for specified chip (SKYLAKE): 0x7f: tilezero tmm0",)


@pytest.mark.parametrize("ending", [CRASH, RAISED, {"ended": "timeout"}, {"ended": "exit", "status": 3}])
def test_what_fails_on_both_is_broken(ending: dict[str, Any]) -> None:
    (finding,) = _judge(ending, ending)
    assert (finding.code, finding.severity) == ("emulate-broken", Severity.ERROR)
    assert "on this machine's own CPU" in finding.message


def test_the_end_of_the_traceback_is_shown_without_the_import_system() -> None:
    output = RAISED["output"].replace("ImportError", '  File "<frozen importlib._bootstrap>", line 1\nImportError')
    (finding,) = _judge({**RAISED, "output": output}, RAISED)
    assert "(ImportError: no table)" in finding.message
    assert finding.details == ("Traceback:", '  File "kern/__init__.py"', "ImportError: no table")


def test_what_is_printed_cannot_steer_a_terminal() -> None:
    (finding,) = _judge({"ended": "exit", "output": "bad \x1b[31m\x07 end"}, None)
    assert finding.details == ("bad ?[31m? end",)


def test_an_extension_module_that_raises_by_itself_is_a_warning_and_one_that_crashes_is_not() -> None:
    assert [f.severity for f in _judge(RAISED, RAISED, subject="kern._core")] == [Severity.WARNING]
    assert [f.severity for f in _judge(CRASH, CRASH, subject="kern._core")] == [Severity.ERROR]


@pytest.mark.parametrize("ending", [CRASH, RAISED, {"ended": "timeout"}])
def test_another_failure_on_the_emulated_cpu_alone_differs(ending: dict[str, Any]) -> None:
    (finding,) = _judge(OK, ending)
    assert (finding.code, finding.severity) == ("emulate-differs", Severity.WARNING)


def test_a_failure_on_the_machines_own_cpu_alone_is_told() -> None:
    (finding,) = _judge(CRASH, OK)
    assert finding.code == "emulate-broken"
    assert finding.message.endswith("on an emulated Nehalem it works")


def test_what_needs_something_that_is_not_installed_is_not_checked() -> None:
    missing = {**RAISED, "missing": "numpy.linalg"}
    assert _note(missing, missing) == "importing kern needs numpy.linalg, which is not installed: not checked"


def test_a_module_of_its_own_that_is_missing_is_broken() -> None:
    missing = {**RAISED, "missing": "kern._core"}
    assert [finding.code for finding in _judge(missing, missing)] == ["emulate-broken"]


def test_a_library_that_looks_like_a_module_is_not_worth_a_word() -> None:
    no_module = {"ended": "exception", "output": "ImportError: dynamic module does not define module export function"}
    assert _judge(no_module, no_module, subject="kern.plugin") == []


def test_a_machine_that_is_too_old_itself_tells_nothing() -> None:
    assert "nothing was emulated, so it is not checked" in _note(ILLEGAL, None)
    assert "on the emulated one it works" in _note(ILLEGAL, OK)


def test_one_cause_is_one_finding() -> None:
    table = {
        "control": [{"subject": name, **OK} for name in ("kern", "kern._a", "kern._b")],
        "emulated": [{"subject": name, **ILLEGAL, "fault": FAULT} for name in ("kern", "kern._a", "kern._b")],
    }
    ((finding,), _) = judge(parse_trial(json.dumps(table)), SETTING)
    assert "importing kern meets" in finding.message
    assert finding.details[-1] == "and 2 more"


def test_features_that_the_emulator_lacks_are_read() -> None:
    output = "qemu: warning: TCG doesn't support requested feature: CPUID.07H:ECX.gfni [bit 8]\n"
    trial = parse_trial(json.dumps({"control": [], "start": {"ended": "ok", "output": output}}))
    assert trial.unsupported == ("gfni",)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"control": [{}]}', '{"control": 3}', '{"start": 1}'])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"report|Expecting"):
        parse_trial(text)
