"""Judges sysctl files without a host: what does nothing, what goes wrong, what one loader rejects.

Pure: files in, findings out. Knows no host, so it says what can be wrong somewhere, and why.
"""

from sysfleet.sysctl.lint.finding import RULES, Finding
from sysfleet.sysctl.lint.judge import lint

__all__ = ["RULES", "Finding", "lint"]
