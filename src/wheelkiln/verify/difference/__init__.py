"""How two wheels differ, from the archive down to sections and lines, and why they may."""
