"""`python -m sysfleet.lab`: the lab's supervisor, started by `Lab.up` alone."""

from sysfleet.lab.daemon import main

main()
