"""The only door to processes, the container engine, the host and the file system."""
