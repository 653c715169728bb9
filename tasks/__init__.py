"""What is done on one host, one verb a file; imported as sysfleet.tasks.

Knows nothing of the command line, and of other hosts.
"""
