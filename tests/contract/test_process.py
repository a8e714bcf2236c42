"""The real runner, on harmless real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.orphans import RUN_VARIABLE, kill_orphans
from wheelkiln.system.process import ProcessRunner


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_status_are_captured_apart() -> None:
    done = ProcessRunner().capture(_python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.returncode, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_bytes_that_are_no_text_are_replaced() -> None:
    done = ProcessRunner().capture(_python("import sys; sys.stdout.buffer.write(b'a\\xffb')"))
    assert done.stdout == "a\ufffdb"


def test_an_argument_is_never_a_shell_command(tmp_path: Path) -> None:
    hostile = f"$(touch {tmp_path}/x); `touch {tmp_path}/y` 'q' \"d\" \n *"
    done = ProcessRunner().capture([*_python("import sys; print(sys.argv[1], end='')"), hostile])
    assert done.stdout == hostile
    assert list(tmp_path.iterdir()) == []


def test_directory_and_environment_are_given(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd()); print(os.environ.get('A'), os.environ.get('HOME'))"
    done = ProcessRunner().capture(_python(code), cwd=tmp_path, env={"A": "1"})
    assert done.stdout.splitlines() == [str(tmp_path), "1 None"]


def test_standard_input_is_empty() -> None:
    assert ProcessRunner().capture(_python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(EnvironmentProblem, match="'no-such-program' is not installed"):
        ProcessRunner().capture(["no-such-program"])
    with pytest.raises(EnvironmentProblem, match="'no-such-program' is not installed"):
        ProcessRunner().stream(["no-such-program"], on_line=print)


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(EnvironmentProblem, match="could not be started: Permission denied"):
        ProcessRunner().capture([str(tmp_path / "x")])


def test_a_program_that_takes_too_long() -> None:
    with pytest.raises(EnvironmentProblem, match="did not answer within 1 seconds"):
        ProcessRunner().capture(_python("import time; time.sleep(60)"), timeout=0.5 + 0.1)


def test_lines_are_streamed_as_they_come() -> None:
    code = "import sys, time; print('one', flush=True); print('two', file=sys.stderr, flush=True); time.sleep(0.5)"
    lines: list[tuple[str, float]] = []
    started = time.monotonic()
    status = ProcessRunner().stream(_python(code), on_line=lambda line: lines.append((line, time.monotonic())))
    ended = time.monotonic()
    assert status == 0
    assert [line for line, _ in lines] == ["one", "two"]
    assert ended - lines[-1][1] > 0.3
    assert ended - started < 30


def test_line_ends_are_cut_and_odd_bytes_replaced() -> None:
    lines: list[str] = []
    code = r"import sys; sys.stdout.buffer.write(b'a\r\nb\xff\n\nlast')"
    assert ProcessRunner().stream(_python(code), on_line=lines.append) == 0
    assert lines == ["a", "b\ufffd", "", "last"]


def test_a_status_of_a_signal_is_negative() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert ProcessRunner().stream(_python(code), on_line=print) == -signal.SIGKILL


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_reader_that_fails_stops_the_whole_group() -> None:
    child = "import time; time.sleep(60)"
    start = f"p = subprocess.Popen([sys.executable, '-c', {child!r}])"
    code = f"import subprocess, sys; {start}; print(p.pid, flush=True); p.wait()"
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ProcessRunner().stream(_python(code), on_line=fail)
    deadline = time.monotonic() + 5
    while _is_alive(pids[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pids[0])


def test_an_interrupt_of_the_terminal_reaches_us_first() -> None:
    """The child is in a group of its own: Ctrl-C is ours to pass on."""
    groups: list[str] = []
    ProcessRunner().stream(_python("import os; print(os.getpgid(0), os.getpid())"), on_line=groups.append)
    group, pid = groups[0].split()
    assert group == pid
    assert int(group) != os.getpgid(0)


def test_two_threads_may_stream_at_once() -> None:
    lines: dict[str, list[str]] = {"a": [], "b": []}

    def run(name: str) -> None:
        ProcessRunner().stream(_python(f"[print('{name}', i) for i in range(200)]"), on_line=lines[name].append)

    threads = [threading.Thread(target=run, args=(name,)) for name in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert lines == {name: [f"{name} {number}" for number in range(200)] for name in ("a", "b")}


def test_what_another_thread_streams_can_be_stopped_and_nothing_begins_after_that() -> None:
    runner, started = ProcessRunner(), threading.Event()
    statuses: list[int] = []
    code = "import time; print('ready', flush=True); time.sleep(60)"

    def stream() -> None:
        statuses.append(runner.stream(_python(code), on_line=lambda _: started.set()))

    thread = threading.Thread(target=stream)
    thread.start()
    assert started.wait(20)
    runner.stop()
    thread.join(20)
    statuses.append(runner.stream(_python(code), on_line=lambda _: None))
    assert statuses == [-signal.SIGTERM, -signal.SIGTERM]


def test_every_command_line_is_logged_without_secrets() -> None:
    log: list[str] = []
    runner = ProcessRunner(log.append)
    runner.capture(["true", "a b", "https://u:pw@host/"])
    runner.stream(["true"], on_line=print)
    assert log == ["true 'a b' https://***@host/", "true"]


def test_an_interactive_program_has_this_processs_streams_and_its_status_is_returned(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = "import os, sys; print(os.environ['A']); print('err', file=sys.stderr); sys.exit(4)"
    said: list[str] = []
    assert ProcessRunner(said.append).interact(_python(code), env={"A": "given"}) == 4
    assert capfd.readouterr() == ("given\n", "err\n")
    assert len(said) == 1


def test_ctrl_c_is_for_the_interactive_program_alone() -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    handler = signal.getsignal(signal.SIGINT)
    assert ProcessRunner().interact(_python(code)) in (-signal.SIGINT, 1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interactive_program_that_is_not_there() -> None:
    with pytest.raises(EnvironmentProblem, match="'no-such-program' is not installed"):
        ProcessRunner().interact(["no-such-program"])


def test_a_process_of_a_dead_run_is_found_by_its_environment_and_killed() -> None:
    child = subprocess.Popen(_python("import time; time.sleep(60)"), env={RUN_VARIABLE: "a-dead-run"})
    try:
        deadline = time.monotonic() + 20
        while kill_orphans(lambda run: run == "a-dead-run") == 0:  # its environment is there when it has been executed
            assert time.monotonic() < deadline
        assert child.wait(timeout=20) == -signal.SIGKILL
    finally:
        child.kill()
