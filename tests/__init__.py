"""The suite. A package, so that another distribution's `tests` cannot be taken for it."""
