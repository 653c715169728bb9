"""Outcome in, text out: the table, the folded view, the list of hosts in short. Prints nothing itself."""
