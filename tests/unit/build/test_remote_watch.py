from __future__ import annotations

import time
from pathlib import Path

from tests.values import make_request
from wheelkiln.build.outcome import Event, Said
from wheelkiln.build.remote_watch import watching_remote
from wheelkiln.cache.remote_use import RemoteUse
from wheelkiln.config.remote import parse_remote

_HIT = "# a.c\ndirect_cache_hit\nremote_storage_hit\n"
_ERROR = "# b.c\ncache_miss\nremote_storage_error\n"
_REQUEST = make_request(remote=parse_remote("redis://:hunter2@h"))


def _job_dir(root: Path) -> Path:
    (root / "cp312" / "mount").mkdir(parents=True)
    return root / "cp312"


def _wait_until_gone(path: Path) -> None:
    end = time.monotonic() + 10
    while path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_without_a_remote_nothing_is_watched(tmp_path: Path) -> None:
    job_dir = _job_dir(tmp_path)
    with watching_remote(make_request(), job_dir, lambda _: None) as watch:
        assert not (job_dir / "remote").exists()
    assert watch.use is None


def test_the_switch_names_no_secret_and_goes_with_the_job(tmp_path: Path) -> None:
    job_dir = _job_dir(tmp_path)
    events: list[Event] = []
    with watching_remote(_REQUEST, job_dir, events.append) as watch:
        switch = job_dir / "remote" / "ccache.conf"
        assert switch.read_text() == "remote_storage = $WHEELKILN_REMOTE_STORAGE\n"
        (job_dir / "mount" / "ccache.log").write_text(_HIT)
    assert watch.use == RemoteUse(hits=1)
    assert not (job_dir / "remote").exists()
    assert events == []


def test_a_server_that_fails_again_and_again_is_switched_off_in_the_middle(tmp_path: Path) -> None:
    job_dir = _job_dir(tmp_path)
    events: list[Event] = []
    with watching_remote(_REQUEST, job_dir, events.append) as watch:
        (job_dir / "mount" / "ccache.log").write_text(_HIT + _ERROR + _ERROR)
        _wait_until_gone(job_dir / "remote" / "ccache.conf")
    assert watch.use == RemoteUse(hits=1, failures=2, failed_in_a_row=2, given_up=True)
    (said,) = events
    assert isinstance(said, Said)
    assert "redis://h:6379 failed 2 calls of cp312; the rest of the job did without it" in said.text
    assert "hunter2" not in said.text
