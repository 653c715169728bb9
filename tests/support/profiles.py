"""How hypothesis runs here: no timing assertions, and what fails can be run again from what is printed."""

from hypothesis import settings

settings.register_profile("sysfleet", deadline=None, print_blob=True)
settings.load_profile("sysfleet")
