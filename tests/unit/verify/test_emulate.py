from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, Call, FakeRunner
from tests.values import make_engine, make_host
from wheelkiln.config.verify import EmulateConfig
from wheelkiln.plan.isa import parse_isa
from wheelkiln.system.engine import EngineName
from wheelkiln.verify.emulate import EmulationReport, EmulationTask, emulate_wheel

NATIVE = {"kern/_core.cpython-312-x86_64-linux-gnu.so": b"\x7fELF"}
PLAIN = "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\n"
REQUIRES = f"{PLAIN}Requires-Dist: numpy>=2\n"
FINE = {
    "control": [{"subject": "kern", "ended": "ok"}],
    "start": {"ended": "ok"},
    "emulated": [{"subject": "kern", "ended": "ok"}],
}


@pytest.fixture(autouse=True)
def emulators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have static emulators on PATH: the smallest programs that ask for no loader."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name in ("qemu-x86_64-static", "qemu-aarch64-static"):
        (bin_dir / name).write_bytes(b"\x7fELF\x02" + bytes(59))
        (bin_dir / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_dir))


def _task(tmp_path: Path, isa: str = "x86-64-v2", metadata: str = PLAIN, **changes: Any) -> EmulationTask:
    wheel = write_wheel(tmp_path / "dist", metadata=metadata, files=NATIVE)
    (parsed,) = parse_isa([isa], where="isa")
    return replace(EmulationTask(wheel, parsed, "image:1", "cp312"), **changes)


def _answer(report: dict[str, Any]) -> Answer:
    return Answer(f"a warning of the engine's\nwheelkiln-report: {json.dumps(report)}\n")


def _emulate(task: EmulationTask, report: dict[str, Any] | None = None) -> tuple[EmulationReport, FakeRunner]:
    runner = FakeRunner({"docker run": _answer(FINE if report is None else report)})
    return emulate_wheel(task, make_engine(runner), make_host()), runner


def _spec(call: Call) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(call.argv[-1])
    return spec


def test_a_wheel_runs_in_a_container_that_can_do_and_see_little(tmp_path: Path) -> None:
    task = _task(tmp_path, run_id="run-1")
    report, runner = _emulate(task)
    assert (report.findings, report.notes, report.cpu) == ((), (), "Nehalem")
    (call,) = runner.calls
    assert {"--rm", "--network=none", "--cap-drop=ALL", "--read-only", "--user=1001:1002", "--pull=never"} < set(
        call.argv
    )
    assert "--security-opt=no-new-privileges" in call.argv
    assert "--label=io.wheelkiln.run=run-1" in call.argv
    mounts = [part for part in call.argv if part.startswith("--mount=")]
    assert len(mounts) == 3
    assert all(mount.endswith(",readonly") for mount in mounts)
    assert f"--mount=type=bind,source={task.wheel},target=/opt/wheelkiln/mnt/{task.wheel.name},readonly" in mounts


def test_the_program_is_told_both_cpus_and_what_to_import(tmp_path: Path) -> None:
    _, runner = _emulate(_task(tmp_path, config=EmulateConfig(command=("python", "-c", "1"), timeout=9)))
    spec = _spec(runner.calls[0])
    assert spec["emulator"] == ["/opt/wheelkiln/mnt/emulator", "-cpu", "Nehalem"]
    assert spec["control"] == []
    assert spec["modules"] == ["kern", "kern._core"]
    assert (spec["command"], spec["seconds"]) == (["python", "-c", "1"], 9)
    assert spec["python"] == "/opt/python/cp312-cp312/bin/python"


def test_configured_imports_stand_for_those_that_are_found(tmp_path: Path) -> None:
    _, runner = _emulate(_task(tmp_path, config=EmulateConfig(imports=("kern.api",))))
    assert _spec(runner.calls[0])["modules"] == ["kern.api"]


def test_a_free_threaded_python_has_its_own_directory(tmp_path: Path) -> None:
    _, runner = _emulate(_task(tmp_path, python="cp313t"))
    assert "--entrypoint=/opt/python/cp313-cp313t/bin/python" in runner.calls[0].argv


def test_another_architecture_is_compared_with_all_that_the_emulator_knows(tmp_path: Path) -> None:
    _, runner = _emulate(_task(tmp_path, "armv8-a"))
    spec = _spec(runner.calls[0])
    assert spec["control"] == ["/opt/wheelkiln/mnt/emulator", "-cpu", "max"]
    assert spec["emulator"][1:] == ["-cpu", "cortex-a53"]


def test_what_it_requires_is_installed_before_from_wheels_alone(tmp_path: Path) -> None:
    task = _task(tmp_path, metadata=REQUIRES, environment={"PIP_INDEX_URL": "https://u:secret@index.example"})
    report, runner = _emulate(task)
    install, run = runner.calls
    assert "--only-binary=:all:" in install.argv
    assert not any("secret" in part for part in install.argv)
    assert install.env is not None
    assert install.env["PIP_INDEX_URL"].endswith("index.example")
    assert "--network=none" not in install.argv
    assert "--network=none" in run.argv
    assert _spec(run)["libraries"] == "/opt/wheelkiln/mnt/libraries"
    assert report.notes == ()


def test_offline_it_is_tried_without_what_it_requires(tmp_path: Path) -> None:
    report, runner = _emulate(_task(tmp_path, metadata=REQUIRES, offline=True))
    assert len(runner.calls) == 1
    assert report.notes == ("what it requires is not installed, because no network may be used",)


def test_requirements_that_cannot_be_installed_are_told(tmp_path: Path) -> None:
    def answer(call: Call) -> Answer:
        return Answer(returncode=1) if "pip" in call.argv else _answer(FINE)

    engine = make_engine(FakeRunner({"docker run": answer}))
    report = emulate_wheel(_task(tmp_path, metadata=REQUIRES), engine, make_host())
    assert "could not be installed from wheels" in report.notes[0]


def test_findings_name_the_wheel_and_what_was_declared(tmp_path: Path) -> None:
    illegal = {"subject": "kern", "ended": "signal", "signal": "SIGILL"}
    report, _ = _emulate(_task(tmp_path), FINE | {"emulated": [illegal]})
    (finding,) = report.findings
    assert finding.subject.startswith("kern-1.2-cp312")
    assert "x86-64-v2 (emulated: Nehalem)" in finding.message


def test_what_qemu_does_not_know_is_imported_on_this_machine_alone_and_said(tmp_path: Path) -> None:
    report, runner = _emulate(_task(tmp_path, "x86-64-v4"), {"control": FINE["control"]})
    assert _spec(runner.calls[0])["emulator"] == []
    assert (report.findings, report.cpu) == ((), "")
    assert "x86-64-v4 is not emulated" in report.notes[0]
    assert "[tool.wheelkiln.verify.emulate] sde" in report.notes[0]


def test_sde_is_used_where_it_is_configured(tmp_path: Path) -> None:
    report, runner = _emulate(_task(tmp_path, "x86-64-v4", config=EmulateConfig(sde="/opt/sde-9/sde64")))
    spec = _spec(runner.calls[0])
    assert (spec["emulator"], spec["kind"]) == (["/opt/wheelkiln/mnt/sde/sde64", "-skx"], "sde")
    assert "--mount=type=bind,source=/opt/sde-9,target=/opt/wheelkiln/mnt/sde,readonly" in runner.calls[0].argv
    assert report.cpu == "-skx"


def test_an_emulator_that_lacks_a_feature_is_no_cpu_of_the_level(tmp_path: Path) -> None:
    warning = "TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]"
    report, _ = _emulate(
        _task(tmp_path, "x86-64-v3"), {"control": FINE["control"], "start": {"ended": "ok", "output": warning}}
    )
    assert report.cpu == ""
    assert "this qemu has no avx2" in report.notes[0]


def test_an_interpreter_that_needs_more_than_is_declared_tells_nothing(tmp_path: Path) -> None:
    start = {"ended": "signal", "signal": "SIGILL"}
    report, _ = _emulate(_task(tmp_path, "x86-64"), {"control": FINE["control"], "start": start})
    assert report.findings == ()
    assert "the image's own Python does not start" in report.notes[0]


def test_without_an_emulator_the_remedy_is_said(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "bin")
    report, runner = _emulate(_task(tmp_path), {"control": FINE["control"]})
    assert "this machine has no static qemu-x86_64" in report.notes[0]
    assert "qemu-user-static" in report.notes[0]
    assert _spec(runner.calls[0])["emulator"] == []


def test_a_wheel_that_cannot_be_installed_is_not_checked(tmp_path: Path) -> None:
    report, _ = _emulate(_task(tmp_path), {"trouble": "a\nERROR: not a supported wheel on this platform."})
    assert report.findings == ()
    assert report.notes[-1].endswith("ERROR: not a supported wheel on this platform.")


@pytest.mark.parametrize("text", ["", "wheelkiln-report: {", "wheelkiln-report: [1]"])
def test_a_container_that_does_not_report_tells_nothing(tmp_path: Path, text: str) -> None:
    engine = make_engine(FakeRunner({"docker run": Answer(text)}))
    report = emulate_wheel(_task(tmp_path), engine, make_host())
    assert report.findings == ()
    assert "did not report" in report.notes[-1]


def test_an_interrupted_call_leaves_no_container(tmp_path: Path) -> None:
    def interrupt(_: Call) -> Answer:
        raise KeyboardInterrupt

    runner = FakeRunner({"docker run": interrupt, "docker rm": Answer()})
    with pytest.raises(KeyboardInterrupt):
        emulate_wheel(_task(tmp_path), make_engine(runner), make_host())
    assert runner.lines[-1].startswith("docker rm --force wheelkiln-emulate-")


@pytest.mark.parametrize(
    ("changes", "reason"), [({"name": EngineName.NONE}, "no engine"), ({"elsewhere": True}, "another")]
)
def test_nothing_runs_outside_of_a_container_here(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    runner = FakeRunner()
    report = emulate_wheel(_task(tmp_path), make_engine(runner, **changes), make_host())
    assert reason in report.notes[0]
    assert runner.calls == []


def test_a_pure_wheel_is_not_run(tmp_path: Path) -> None:
    runner = FakeRunner()
    task = replace(_task(tmp_path), wheel=write_wheel(tmp_path / "pure"))
    assert "no machine code" in emulate_wheel(task, make_engine(runner), make_host()).notes[0]
    assert runner.calls == []
