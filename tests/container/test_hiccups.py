"""An engine that fails for a moment: a program in front of docker's that breaks one command off."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

MESSAGE = "OCI runtime exec failed: exec failed: read init-p: connection reset by peer: unknown"

# The first call whose arguments have the word is broken off, as runc does it; all others reach the engine.
SHAKY = """#!/bin/sh
case " $* " in
*" {word} "*)
    if mkdir "{place}/broken-off" 2>/dev/null; then
        echo "{message}"
        exit 126
    fi ;;
esac
exec {engine} "$@"
"""


@pytest.mark.any_engine(but=())
@pytest.mark.parametrize("word", ["exec", "wheelkiln-environment", "create"])
def test_one_command_that_the_engine_breaks_off_costs_an_attempt(
    tool: Tool, project: Any, engine: str, tmp_path: Path, word: str
) -> None:
    source = project("plain")
    program = tmp_path / "bin" / engine
    program.parent.mkdir()
    program.write_text(SHAKY.format(word=word, place=tmp_path, message=MESSAGE, engine=shutil.which(engine)))
    program.chmod(0o755)
    environments = tool.cache / "environments"
    if word == "wheelkiln-environment":
        shutil.rmtree(environments, ignore_errors=True)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    ran = tool.build(".", "--python", "cp312", "--no-store", "--fresh", cwd=source, PATH=path)
    assert ran.code == 0, ran.stderr
    assert (tmp_path / "broken-off").is_dir()
    assert f"the engine failed for a moment: {MESSAGE}. The job is tried once more." in ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    assert (job["status"], job["attempts"]) == ("built", 2)
    assert job["statistics"]["misses"] + job["statistics"]["hits"] > 0
    assert tool.containers() == []
