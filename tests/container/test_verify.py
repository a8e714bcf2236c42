"""Wheels of real builds: what is found in them decides whether they land, and 'verify' says the same afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

ONE = ("--python", "cp312")


@pytest.mark.any_engine(but=())
def test_a_rule_decides_whether_a_wheel_lands(tool: Tool, project: Any) -> None:
    source = project("plain")
    house = source / "wheelhouse"
    pyproject = source / "pyproject.toml"
    before = pyproject.read_text()
    pyproject.write_text(f'{before}\n[tool.wheelkiln.verify.rules]\ndescription = "error"\n')
    refused = tool.build(".", *ONE, cwd=source)
    assert refused.code == 8, refused.stderr
    assert "description: it has no long description" in refused.stderr
    assert list(house.glob("*.whl")) == []

    pyproject.write_text(before)
    landed = tool.build(".", *ONE, cwd=source)
    assert landed.code == 0, landed.stderr
    assert "1 warning about 1 wheel (description); 'wheelkiln verify " in landed.stdout
    (finding,) = manifest(house)["jobs"][0]["findings"]
    assert (finding["code"], finding["severity"]) == ("description", "warning")

    checked = tool.run("verify", str(house), "--format", "json", cwd=source)
    assert checked.code == 0, checked.stderr
    (wheel,) = json.loads(checked.stdout)["wheels"]
    assert [finding["code"] for finding in wheel["findings"]] == ["description"]

    path = house / wheel["wheel"]
    path.write_bytes(path.read_bytes() + b"\0")
    assert tool.run("verify", str(house), cwd=source).code == 8
