"""The command line: one file a command, and the only place that prints."""

from sysfleet.cli.program import main

__all__ = ["main"]
