"""Lab hosts that misbehave: what can be wrong with one, and how each is done, one module a kind.

Everything is real: packets that are dropped, mounts that refuse, a login shell that lies. Nothing here knows how
sysfleet reads or changes a host, but for the frame that a liar forges and the name of the file that it manages.
"""
