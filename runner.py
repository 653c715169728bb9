"""The launcher of a checkout: `python runner.py …` is the same program as `sysfleet …`."""

import sys

from sysfleet.cli import main

if __name__ == "__main__":
    sys.exit(main())
