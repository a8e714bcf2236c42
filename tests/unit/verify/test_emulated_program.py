from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from wheelkiln.verify.emulated_program import import_modules


@pytest.fixture
def progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "site"), *sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "site").mkdir()
    (tmp_path / "progress").write_text("")
    return tmp_path / "progress"


def test_each_import_is_told(progress: Path) -> None:
    site = progress.parent / "site"
    (site / "kern_good.py").write_text("")
    (site / "kern_bad.py").write_text("raise SystemExit('no table')\n")
    (site / "kern_lacks.py").write_text("import kern_dependency\n")
    assert import_modules(str(progress), ["--plain", "kern_good", "kern_bad", "kern_lacks"]) == 0
    good, bad, lacks = [json.loads(line) for line in progress.read_text().splitlines()]
    assert good == {"subject": "kern_good", "ended": "ok", "output": ""}
    assert (bad["ended"], bad["missing"], bad["output"].splitlines()[-1]) == ("exception", None, "SystemExit: no table")
    assert lacks["missing"] == "kern_dependency"
