"""A pyproject.toml whose ``tool`` is no table is the user's fault, not a traceback."""

from pathlib import Path

import pytest

from wheelkiln.config.load import load_config
from wheelkiln.errors import ConfigError


def test_tool_has_to_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")
    with pytest.raises(ConfigError, match=r"\[tool\] in .* is not a table"):
        load_config(tmp_path, {})
