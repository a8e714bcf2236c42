from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from wheelkiln.cache.lock import Pin
from wheelkiln.cache.resolution import Resolver
from wheelkiln.errors import BuildError, EnvironmentProblem


class Index:
    """uv as a resolver sees it: what it was asked, and what it keeps."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.preferred: list[str] = []

    def __call__(self, call: Call) -> Answer:
        self.asked.append(Path(call.argv[-1] if call.argv[-1] != "--offline" else call.argv[-2]).read_text())
        answer = Path(call.option("--output-file"))
        self.preferred.append(answer.read_text() if answer.exists() else "")
        answer.write_text("numpy==2.2.6 \\\n    --hash=sha256:aa\n")
        return Answer()


def _resolver(place: Path, index: Index, **environ: str) -> tuple[Resolver, FakeRunner]:
    runner = FakeRunner({"uv pip compile": index})
    return Resolver(runner, environ, place), runner


def _resolve(resolver: Resolver, *requires: str, **options: object) -> tuple[Pin, ...]:
    given = {"python": "3.12", "platform": "x86_64-manylinux_2_28", **options}
    return resolver.resolve(requires or ("numpy>=2",), **given)  # type: ignore[arg-type]


def test_uv_is_asked_for_another_python_and_platform(tmp_path: Path) -> None:
    index = Index()
    resolver, runner = _resolver(tmp_path, index, UV_INDEX="https://one/")
    assert _resolve(resolver) == (Pin("numpy==2.2.6", ("sha256:aa",)),)
    (call,) = runner.calls
    assert call.option("--python-version") == "3.12"
    assert call.option("--python-platform") == "x86_64-manylinux_2_28"
    assert {"--generate-hashes", "--no-config"} <= set(call.argv)
    assert call.env is not None
    assert call.env["UV_INDEX"] == "https://one/"
    assert index.asked == ["numpy>=2\n"]


def test_nothing_is_asked_for_nothing(tmp_path: Path) -> None:
    resolver, runner = _resolver(tmp_path, Index())
    assert resolver.resolve((), python="3.12", platform="x86_64-manylinux_2_28") == ()
    assert runner.calls == []


def test_an_answer_holds_for_a_while(tmp_path: Path) -> None:
    index = Index()
    resolver, _ = _resolver(tmp_path, index)
    _resolve(resolver)
    _resolve(resolver)
    assert len(index.asked) == 1
    _resolve(resolver, fresh=True)
    assert len(index.asked) == 2
    for answer in (tmp_path / "answers").iterdir():
        os.utime(answer, (1, 1))
    _resolve(resolver)
    assert len(index.asked) == 3


def test_another_question_is_another_answer(tmp_path: Path) -> None:
    index = Index()
    resolver, _ = _resolver(tmp_path, index)
    _resolve(resolver)
    _resolve(resolver, "numpy>=2", "cython")
    _resolve(resolver, python="3.13")
    _resolve(resolver, platform="aarch64-manylinux_2_28")
    _resolve(_resolver(tmp_path, index, UV_INDEX="https://one/")[0])
    assert len(index.asked) == 5


def test_versions_that_fit_are_kept(tmp_path: Path) -> None:
    index = Index()
    _resolve(_resolver(tmp_path, index)[0], preferred=(Pin("numpy==2.1.0", ("sha256:bb",)),))
    assert index.preferred == ["numpy==2.1.0 --hash=sha256:bb\n"]


def test_without_a_network_old_answers_hold_and_uv_looks_at_its_cache(tmp_path: Path) -> None:
    index = Index()
    _resolve(_resolver(tmp_path, index)[0])
    for answer in (tmp_path / "answers").iterdir():
        os.utime(answer, (1, 1))
    runner = FakeRunner({"uv pip compile": index})
    offline = Resolver(runner, {}, tmp_path, offline=True)
    _resolve(offline)
    assert runner.calls == []
    _resolve(offline, "cython")
    assert runner.calls[0].argv[-1] == "--offline"


@pytest.mark.parametrize(
    ("said", "offline", "kind", "hint"),
    [
        ("error: No solution found: because numpy>=9 is not there", False, BuildError, "index"),
        ("error: error sending request for url (https://pypi.example)", False, EnvironmentProblem, "doctor"),
        ("error: Packages were unavailable because the network was disabled", True, EnvironmentProblem, "lock"),
    ],
)
def test_a_failure_is_explained(
    tmp_path: Path, said: str, offline: bool, kind: type[BuildError | EnvironmentProblem], hint: str
) -> None:
    runner = FakeRunner({"uv pip compile": Answer(stderr=f"{said}\nhttps://me:secret@host/", returncode=2)})
    with pytest.raises(kind) as caught:
        _resolve(Resolver(runner, {}, tmp_path, offline=offline))
    assert "Python 3.12 on x86_64-manylinux_2_28 (numpy>=2)" in caught.value.message
    assert said in caught.value.message
    assert "secret" not in caught.value.message
    assert hint in caught.value.hint
    assert list((tmp_path / "answers").glob("*")) == []
