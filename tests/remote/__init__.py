"""Tests of sysfleet.remote, against real shells, a real kernel's /proc/sys/net and a real SSH server."""
