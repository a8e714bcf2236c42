"""Configuration: pyproject.toml or wheelkiln.toml to one validated, frozen Config."""
