"""sysfleet.toml: names, types, units, defaults. Refuses to read files, the environment or a command line."""

from sysfleet.settings.reading import DEFAULT_FILE, override, parse
from sysfleet.settings.records import (
    Boot,
    Connection,
    File,
    Missing,
    Privilege,
    Run,
    Settings,
    Ssh,
    Store,
    identity_paths,
    known_hosts_paths,
    project_known_hosts,
    ssh_config_path,
)
from sysfleet.settings.reference import Row, as_toml, describe, sample_text

__all__ = [
    "DEFAULT_FILE",
    "Boot",
    "Connection",
    "File",
    "Missing",
    "Privilege",
    "Row",
    "Run",
    "Settings",
    "Ssh",
    "Store",
    "as_toml",
    "describe",
    "identity_paths",
    "known_hosts_paths",
    "override",
    "parse",
    "project_known_hosts",
    "sample_text",
    "ssh_config_path",
]
