from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from tests.records import make_record_value
from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.cli import provenance
from wheelkiln.errors import NothingSelectedError, UsageProblem, VerificationError
from wheelkiln.report.builder import Made
from wheelkiln.report.manifest import MANIFEST_NAME, make_manifest, write_manifest_text
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.record import Record, write_record_text

_REQUEST = make_request(make_inputs({"python": ["cp311", "cp312"]}))
_MADE = Made("https://ci.example/w", "", "", "", 1, 61)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITLAB_CI", raising=False)
    return tmp_path


def _wheelhouse(*, made: Made | None = _MADE, record: Record | None = None) -> list[Path]:
    """Write what a run with a wheel for each Python leaves."""
    directory = Path("wheelhouse")
    files = {"kern-1.2.dist-info/wheelkiln.json": write_record_text(record).encode()} if record else {}
    names = [f"kern-1.2-{py}-{py}-manylinux_2_17_x86_64.whl" for py in ("cp311", "cp312")]
    paths = [write_wheel(directory, name, files=files) for name in names]
    outcomes = tuple(
        Outcome(job, Status.BUILT, wheel=WheelFile(path.name, sha256_of(path), path.stat().st_size))
        for job, path in zip(_REQUEST.plan.jobs, paths, strict=True)
    )
    manifest = make_manifest(RunRequest((_REQUEST,)), RunResult(outcomes, (), 1.0), version="0.1.0", made=made)
    (directory / MANIFEST_NAME).write_text(write_manifest_text(manifest))
    return paths


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(provenance.command, list(arguments), catch_exceptions=False, standalone_mode=False)


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_statement_beside_each_wheel() -> None:
    paths = _wheelhouse()
    result = _run()
    statements = [path.with_name(f"{path.name}.intoto.json") for path in paths]
    assert result.output == "2 in wheelhouse:\n" + "".join(f"  {path.name}\n" for path in statements)
    assert [_read(path)["subject"][0] for path in statements] == [
        {"name": path.name, "digest": {"sha256": sha256_of(path)}} for path in paths
    ]


def test_the_predicate_alone_elsewhere_from_the_manifest_itself() -> None:
    path, _ = _wheelhouse()
    _run(f"wheelhouse/{MANIFEST_NAME}", "--part", "predicate", "-o", "out/place")
    predicate = _read(Path("out/place", f"{path.name}.slsa.json"))
    assert set(predicate) == {"buildDefinition", "runDetails"}
    assert not list(Path("wheelhouse").glob("*.json*.json"))


def test_to_stdout_one_a_line() -> None:
    _wheelhouse()
    lines = _run("--stdout").output.splitlines()
    assert [json.loads(line)["predicateType"] for line in lines] == ["https://slsa.dev/provenance/v1"] * 2
    assert not list(Path("wheelhouse").glob("*.intoto.json"))


def test_the_ci_system_is_the_builder_of_what_it_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    _wheelhouse(made=None)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "a/b/.github/workflows/c.yml@refs/heads/d")
    first = json.loads(_run("--stdout").output.splitlines()[0])
    assert first["predicate"]["runDetails"]["builder"]["id"].startswith("https://github.example/a/b/")


@pytest.mark.parametrize("made", [_MADE, None])
def test_the_builder_may_be_given(made: Made | None) -> None:
    _wheelhouse(made=made)
    first = json.loads(_run("--stdout", "--builder", "https://builder.example/1").output.splitlines()[0])
    assert first["predicate"]["runDetails"]["builder"]["id"] == "https://builder.example/1"


@pytest.mark.parametrize("text", ["builder", "https://a b", "urn:a\nb"])
def test_a_builder_is_a_uri(text: str) -> None:
    _wheelhouse()
    with pytest.raises(UsageProblem, match="is not a URI"):
        _run("--builder", text)


def test_a_wheel_that_is_not_what_the_manifest_says_ends_it_all() -> None:
    first, second = _wheelhouse()
    first.write_bytes(first.read_bytes() + b"x")
    second.unlink()
    with pytest.raises(VerificationError) as caught:
        _run()
    assert caught.value.exit_code == 8
    assert f"{first.name}: its SHA-256 is {sha256_of(first)}, the manifest says " in caught.value.message
    assert f"{second.name} is not there" in caught.value.message
    assert not list(Path("wheelhouse").glob("*.intoto.json"))


def test_the_record_in_the_wheel_is_read() -> None:
    _wheelhouse(record=make_record_value())
    first = json.loads(_run("--stdout").output.splitlines()[0])
    uris = [it["uri"] for it in first["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert uris == ["pkg:pypi/kern@1.2", "pkg:pypi/cmake@4.1.0", "pkg:pypi/numpy@2.2.6"]


def test_a_record_of_something_else_ends_it_all() -> None:
    _wheelhouse(record=make_record_value(variant="avx512"))
    with pytest.raises(VerificationError, match="its record says 'avx512' is its variant"):
        _run()


def test_a_link_is_no_wheel() -> None:
    first, _ = _wheelhouse()
    first.rename("elsewhere.whl")
    first.symlink_to(Path("elsewhere.whl").resolve())
    with pytest.raises(VerificationError, match="is not there, or is no file"):
        _run()


def test_without_a_manifest_and_without_a_wheel() -> None:
    with pytest.raises(UsageProblem, match=r"there is no wheelhouse"):
        _run()
    _wheelhouse()
    path = Path("wheelhouse", MANIFEST_NAME)
    table = _read(path)
    for job in table["jobs"]:
        job.update(status="failed", wheel=None)
    path.write_text(json.dumps(table))
    with pytest.raises(NothingSelectedError, match="has no wheel"):
        _run()
