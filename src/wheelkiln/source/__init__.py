"""Sources: a directory, an sdist, a release on the package index or a git reference, each made into an sdist."""
