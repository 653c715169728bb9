"""Where the sample project lies, from which `init` starts a new one. Does not know what is in it.

In a wheel its folders are beside this file; in a checkout they are those at the top of the repository.
"""

from pathlib import Path
from typing import Literal

_INSTALLED = Path(__file__).resolve().parent
_CHECKOUT = _INSTALLED.parent.parent

Part = Literal["inventory", "templates"]


def sample_folder(part: Part) -> Path:
    """The sample project's folder of that name, to be read and copied, never written."""
    beside = _INSTALLED / part
    return beside if beside.is_dir() else _CHECKOUT / part
