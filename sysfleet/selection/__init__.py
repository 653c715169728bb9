"""The `--limit` language: which hosts of the inventory a command is for. Knows no file of it."""

from sysfleet.selection.candidate import Candidate
from sysfleet.selection.choice import natural_key, select
from sysfleet.selection.expression import Selection, Term, parse

__all__ = ["Candidate", "Selection", "Term", "natural_key", "parse", "select"]
