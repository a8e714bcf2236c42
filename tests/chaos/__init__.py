"""Random kills during real builds, and what must hold after going on: see harness.py."""
