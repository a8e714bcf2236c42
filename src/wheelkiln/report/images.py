"""Images as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wheelkiln.image.lookup import ImageView
from wheelkiln.report.text import format_size

__all__ = ["render_views", "views_as_json"]


def render_views(views: Sequence[ImageView]) -> Iterator[str]:
    """Lay images out as indented lines, which any width of terminal can show."""
    for index, view in enumerate(views):
        if index:
            yield ""
        yield from _render(view)


def views_as_json(views: Sequence[ImageView]) -> list[dict[str, Any]]:
    """Return the same for programs; sizes are in bytes."""
    return [
        {
            "name": view.name,
            "wanted": view.wanted,
            "present": view.is_current,
            "reference": view.image.reference if view.image else None,
            "digest": view.image.id if view.image else None,
            "architecture": view.image.arch if view.image else None,
            "base_size": view.base_size,
            "own_size": view.own_size,
            "layers": [{"purpose": purpose, "size": size} for purpose, size in view.layers],
            "labels": dict(view.image.labels) if view.image else {},
            "changes": list(view.changes),
        }
        for view in views
    ]


def _render(view: ImageView) -> Iterator[str]:
    yield f"{view.name}: {view.wanted}"
    if view.image is None:
        yield "  not there yet: 'wheelkiln image build' makes it, as does the first 'wheelkiln build'"
        return
    if not view.is_current:
        yield f"  not there yet; last used was {view.image.reference}"
        for change in view.changes:
            yield f"    would change: {change}"
    labels = view.image.labels
    yield f"  created    {labels.get('org.opencontainers.image.created') or view.image.created}"
    yield f"  base       {labels.get('org.opencontainers.image.base.name', '?')}, {format_size(view.base_size)}"
    yield f"  ours       {format_size(view.own_size)} over the base, unpacked:"
    width = max((len(format_size(size)) for _, size in view.layers), default=0)
    for purpose, size in reversed(view.layers):
        yield f"             {format_size(size):>{width}}  {purpose}"
    compiler, _, features = labels.get("io.wheelkiln.toolchain", "").partition(" ")
    version, _, features = features.partition(" ")
    if compiler:
        yield f"  toolchain  {compiler} {version}, accepts: {features}"
    for line in labels.get("io.wheelkiln.versions", "").split("; "):
        if line:
            yield f"             {line}"
    for name in sorted(labels):
        if name.startswith("org.opencontainers.") and labels[name]:
            yield f"  label      {name.removeprefix('org.opencontainers.image.')} = {labels[name]}"
