"""Hardens kernel parameters on many Linux hosts over SSH, without an agent.

Imports nothing, so that starting is cheap.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
