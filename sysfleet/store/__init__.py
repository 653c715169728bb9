"""What happened, kept in the project: the journal of runs. Does not know how anything is shown."""
