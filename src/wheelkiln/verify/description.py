"""A program: render a long description from stdin as package indexes do, and say why where that fails.

A process of its own, because docutils has no limits: ours are set here, and the caller's clock runs.
"""

from __future__ import annotations

import io
import resource
import sys

__all__ = ["main"]

_MOST_MEMORY = 1 << 30
_MOST_SECONDS = 30


def main() -> int:
    """Return 0 where reStructuredText renders, else 1 after what is wrong with it was printed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    from readme_renderer import rst

    said = io.StringIO()
    rendered = rst.render(sys.stdin.buffer.read().decode("utf-8", errors="replace"), stream=said)
    if rendered is None:
        print(said.getvalue().replace("<string>:", "line ").strip()[:2000])
    return int(rendered is None)


if __name__ == "__main__":
    sys.exit(main())
