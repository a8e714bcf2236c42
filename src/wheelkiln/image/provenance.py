"""Where a recipe comes from, for the labels of its image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wheelkiln.image.bake import Provenance
from wheelkiln.system.host import HostFacts
from wheelkiln.system.process import Runner, mask_secrets

__all__ = ["read_provenance", "source_url"]

_SOURCE_NAMES = ("source", "sourcecode", "repository", "github", "code", "homepage")
"""Labels of project URLs, without case and punctuation (packaging.python.org: well-known project URLs)."""


def read_provenance(project: Path, pyproject: Mapping[str, Any], host: HostFacts, runner: Runner) -> Provenance:
    """Ask git for the revision; a tree with changes has none, since no revision has its recipe."""
    revision = ""
    if (project / ".git").exists():
        head = runner.capture(["git", "-C", str(project), "rev-parse", "HEAD"])
        changes = runner.capture(["git", "-C", str(project), "status", "--porcelain", "--untracked-files=no"])
        revision = head.stdout.strip() if head.ok and changes.ok and not changes.stdout.strip() else ""
    return Provenance(source=source_url(pyproject), revision=revision, epoch=host.epoch())


def source_url(pyproject: Mapping[str, Any]) -> str:
    """Return the project's repository from its metadata, empty where it names none."""
    project = pyproject.get("project", {})
    urls = project.get("urls", {}) if isinstance(project, dict) else {}
    if not isinstance(urls, dict):
        return ""
    known = {"".join(char for char in str(name).lower() if char.isalpha()): str(url) for name, url in urls.items()}
    return next((mask_secrets(known[name]) for name in _SOURCE_NAMES if name in known), "")
