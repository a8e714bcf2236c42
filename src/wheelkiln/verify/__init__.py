"""Verification: a wheel to findings."""
