"""Adapters that make sysfleet's parts Nornir plugins; every name begins with `sysfleet.`."""
