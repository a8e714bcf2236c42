from __future__ import annotations

from pathlib import Path

from wheelkiln.system.cgroups import anonymous_bytes, available_memory, memory_cgroup


def test_memory_of_both_kinds_of_cgroups() -> None:
    hybrid = "12:memory:/docker/abc\n5:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"

    assert memory_cgroup(hybrid) == Path("/sys/fs/cgroup/memory/docker/abc")
    assert memory_cgroup("0::/system.slice/docker-abc.scope\n") == Path("/sys/fs/cgroup/system.slice/docker-abc.scope")
    assert memory_cgroup("") is None
    assert anonymous_bytes("cache 5\nrss 6\ntotal_cache 7\ntotal_rss 4096\n") == 4096
    assert anonymous_bytes("anon 8192\nfile 1\n") == 8192
    assert anonymous_bytes("") is None


def _machine(tmp_path: Path, cgroup: str, files: dict[str, str]) -> tuple[Path, Path]:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:       2048 kB\nMemAvailable:       1024 kB\n")
    (proc / "self/cgroup").write_text(cgroup)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return proc, root


def test_the_machines_memory_counts_where_the_group_has_no_limit(tmp_path: Path) -> None:
    proc, root = _machine(tmp_path, "0::/a\n", {"a/memory.max": "max\n", "a/memory.current": "5\n"})
    assert available_memory(proc, root) == 1024 * 1024


def test_the_groups_limit_counts_where_it_leaves_less(tmp_path: Path) -> None:
    proc, root = _machine(tmp_path, "0::/a\n", {"a/memory.max": "5000\n", "a/memory.current": "1000\n"})
    assert available_memory(proc, root) == 4000


def test_limits_of_the_first_kind_of_groups(tmp_path: Path) -> None:
    files = {"memory/a/memory.limit_in_bytes": "3000\n", "memory/a/memory.usage_in_bytes": "4000\n"}
    proc, root = _machine(tmp_path, "7:memory:/a\n0::/\n", files)
    assert available_memory(proc, root) == 0


def test_nothing_is_known_without_proc(tmp_path: Path) -> None:
    assert available_memory(tmp_path / "none", tmp_path) is None
