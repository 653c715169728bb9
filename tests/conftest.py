"""Which plugins of the suite's own are on. Fixtures live in tests/support."""

pytest_plugins = [
    "tests.support.guards",
    "tests.support.profiles",
    "tests.support.skips",
    "tests.support.lab",  # after skips, which it imports
]
