"""Machine code: an ELF file to the CPU features that its functions need."""
