"""Where the sample project lies, from which `init` starts a new one. Does not know what is in it.

Its folders are beside this file: links in a checkout, copies in a wheel.
"""

from pathlib import Path
from typing import Literal

Part = Literal["inventory", "templates"]


def sample_folder(part: Part) -> Path:
    """The sample project's folder of that name, to be read and copied, never written."""
    return Path(__file__).parent / part
