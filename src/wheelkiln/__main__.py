"""Entry point of ``wheelkiln`` and ``python -m wheelkiln``."""

from wheelkiln.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
