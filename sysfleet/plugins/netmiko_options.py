"""Which of netmiko's options an inventory may set. Text in, a complaint out; netmiko is not asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULT_PLATFORM = "linux"

SAFE = frozenset({"default_enter", "device_type", "fast_cli", "global_delay_factor", "keepalive"})
"""Options that are handed on to netmiko."""

_KEYS = "keys come from [ssh] identity_files and the agent"
_PASSWORD = "passwords come from [ssh] password_env or the host's `password`"  # noqa: S105 - no password
_HOST_KEYS = "host keys are always verified, from [ssh] known_hosts"
_TIME = "time limits are [ssh] connect_timeout_s and [run] deadline_s"
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("allow_agent", "key_file", "passphrase", "pkey", "use_keys"), _KEYS),
    **dict.fromkeys(("alt_host_keys", "alt_key_file", "ssh_strict", "system_host_keys"), _HOST_KEYS),
    **dict.fromkeys(("auth_timeout", "banner_timeout", "blocking_timeout", "conn_timeout", "session_timeout"), _TIME),
    **dict.fromkeys(("read_timeout_override", "timeout"), _TIME),
    **dict.fromkeys(("host", "ip", "port", "username"), "the host's own fields say where it is"),
    **dict.fromkeys(("sock", "sock_telnet"), "bastions are named by `proxy_jump`"),
    "disable_sha2_fix": "algorithms are the safe ones that the host's known keys allow",
    "disabled_algorithms": "algorithms are the safe ones that the host's known keys allow",
    "password": _PASSWORD,
    "secret": "root rights are [privilege]'s",
    "session_log": "nothing that a host says is written to a file",
    "ssh_config_file": "it is [ssh] config",
}


def problem(platform: str | None, options: Mapping[str, Any]) -> str | None:
    """What is wrong with these options of netmiko, naming the option; None where they can be honoured."""
    for name in sorted(set(options) - SAFE):
        instead = _INSTEAD.get(name, "sysfleet does not use it")
        return f"netmiko's option {name} cannot be set: {instead}"
    kind = str(options.get("device_type", platform or DEFAULT_PLATFORM))
    if kind.endswith(("_telnet", "_serial")):
        return f"netmiko's platform {kind} does not speak SSH"
    return None
