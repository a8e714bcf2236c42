"""Caches: the settings that make a job's compile cache hit, and exact statistics of what it did."""
