"""What is wanted: constraints, layers and overrides. Pure: no files, no clock, no hosts."""
