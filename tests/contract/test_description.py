"""The program that renders descriptions, with the real docutils."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest


def _render(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wheelkiln.verify.description"], input=text, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("text", ["Kern\n====\n\nFast *kernels*.\n", "plain", ".. code-block:: python\n\n    x = 1\n"])
def test_what_renders(text: str) -> None:
    assert (_render(text).returncode, _render(text).stdout) == (0, "")


@pytest.mark.parametrize("text", ["Kern\n==\n\n*x\n\n:nothing:`x`\n", ".. nothing::\n\n   x\n"])
def test_what_does_not_render(text: str) -> None:
    done = _render(text)
    assert done.returncode == 1
    assert done.stdout.startswith("line ")
    assert "Traceback" not in done.stderr


def test_files_of_this_machine_are_not_read() -> None:
    done = _render(".. include:: /etc/passwd\n")
    assert done.returncode == 1
    assert "root:" not in done.stdout + done.stderr


def test_a_text_that_costs_too_much_ends() -> None:
    begun = time.monotonic()
    assert _render("- " * 3000 + "x").returncode != 0
    assert time.monotonic() - begun < 120
