"""`python -m sysfleet …` is the same program as `sysfleet …`. Knows nothing but where it begins."""

import sys

from sysfleet.cli import main

if __name__ == "__main__":
    sys.exit(main())
