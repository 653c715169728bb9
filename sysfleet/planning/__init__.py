"""From a policy and a reading to what would change on one host. Pure: no clock, no network, no files."""
