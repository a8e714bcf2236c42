"""Building: a job to a generated cibuildwheel configuration, its run, and an Outcome."""
