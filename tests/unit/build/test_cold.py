from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.values import inspected_image, make_inputs, make_request
from wheelkiln.build.cold import ColdComparison, Verdict, compare_cold
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.outcome import Said
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.run import run_build
from wheelkiln.cache.store import store_of
from wheelkiln.errors import BuildError

_CP311 = "cp311-manylinux_x86_64"


def _compile_cache(call: Call) -> str:
    """The place of the compile cache that a job was given."""
    text = Path(call.option("--config-file")).read_text()
    return next(part for part in text.split("source=") if "/mnt/ccache" in part).partition(",")[0]


def _request(root: Path, fake: FakeCibuildwheel) -> BuildRequest:
    script = {"docker ps": Answer(""), "docker image inspect": Answer(inspected_image()), **fake.script()}
    return make_request(make_inputs({"python": ["cp311", "cp312"]}), FakeRunner(script), root)


def _compare(request: BuildRequest) -> tuple[ColdComparison, list[str]]:
    events: list[object] = []
    result = compare_cold(request, events.append, lambda _: None)
    return result, [event.text for event in events if isinstance(event, Said)]


def _poisoned(root: Path) -> Callable[[Call], Mapping[str, bytes]]:
    """What a build makes whose user's cache gives something else than the compiler."""
    usual = f"{root}/cache/ccache"
    return lambda call: {"kern/_k.so": b"poison" if _compile_cache(call) == usual else b"code"}


def test_an_equal_wheel_clears_the_cache_and_leaves_no_trace(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake)
    run_build(RunRequest((request,)), lambda _: None, lambda _: None)
    before = ledger_of(tmp_path / "cache").history()
    fake.built.clear()
    caches: list[str] = []
    fake.during = lambda call: caches.append(_compile_cache(call))
    result, said = _compare(request)
    assert (result.verdict, result.members, result.job.id) == (Verdict.EQUAL, (), _CP311)
    assert result.cached.sha256 == result.cold.sha256
    assert fake.built == [_CP311]
    assert len(said) == 1
    assert caches[0].startswith(f"{tmp_path}/cache/tmp/verify-")
    assert ledger_of(tmp_path / "cache").history() == before
    assert list((tmp_path / "cache/tmp").iterdir()) == []


def test_without_a_wheel_one_is_built_with_the_caches_first_and_kept(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    result, said = _compare(_request(tmp_path, fake))
    assert result.verdict is Verdict.EQUAL
    assert fake.built == [_CP311, _CP311]
    assert "has no wheel of these inputs yet" in said[0]
    assert [wheel.sha256 for wheel in store_of(tmp_path / "cache").wheels()] == [result.cached.sha256]
    assert not (tmp_path / "wheelhouse").exists()


@pytest.mark.parametrize("where", ["output", "store", "nowhere"])
def test_a_poisoned_cache_is_found_and_the_members_are_named(tmp_path: Path, where: str) -> None:
    fake = FakeCibuildwheel(files=_poisoned(tmp_path))
    request = _request(tmp_path, fake)
    if where != "nowhere":
        run_build(RunRequest((request,)), lambda _: None, lambda _: None)
        for path in (tmp_path / ("wheelhouse" if where == "store" else "cache/wheels")).rglob("*.whl"):
            path.unlink()
    fake.built.clear()
    result, said = _compare(request)
    assert (result.verdict, result.members) == (Verdict.DIFFERENT, ("kern/_k.so",))
    assert fake.built == [_CP311] * (3 if where == "nowhere" else 2)
    assert "a second time" in said[-1]
    entry = ledger_of(tmp_path / "cache").history()[-1]
    assert entry.sha256 != result.cold.sha256, "what was built cold is not taken for the cached wheel later"


def test_a_build_that_never_repeats_says_nothing_of_the_cache(tmp_path: Path) -> None:
    count = iter(range(100))
    fake = FakeCibuildwheel(files=lambda _: {"kern/_k.so": str(next(count)).encode()})
    result, _ = _compare(_request(tmp_path, fake))
    assert (result.verdict, result.members) == (Verdict.UNREPEATABLE, ("kern/_k.so",))


def test_a_job_that_fails_is_a_failed_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=_CP311) as caught:
        _compare(_request(tmp_path, FakeCibuildwheel(broken=frozenset({_CP311}))))
    assert "build.log" in caught.value.hint
    assert list((tmp_path / "cache/tmp").iterdir()) == []
