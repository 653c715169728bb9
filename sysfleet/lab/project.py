"""The project folder that a lab leaves ready for use: inventory, strict known hosts, sysfleet.toml, templates.

Knows the form of a project and of known_hosts (sshd(8)), nothing of how hosts run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sysfleet.lab import state
from sysfleet.lab.faults.known_hosts import known_hosts_line
from sysfleet.lab.spec import HostSpec, Loader

KNOWN_HOSTS = "known_hosts"

_SETTINGS = f"""\
# Written by `sysfleet lab up`: a project whose hosts live on this machine.
[ssh]
identity_files = ["{state.CLIENT_KEY}"]
known_hosts = ["{KNOWN_HOSTS}"]
"""


def write_project(
    folder: Path,
    hosts: Iterable[tuple[HostSpec, int, str]],
    *,
    templates: Path | None,
    group_data: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the project; a host is its spec, port and public key. JSON values are YAML as well."""
    hosts = list(hosts)
    inventory = folder / "inventory"
    inventory.mkdir(exist_ok=True)
    groups = {group: {"roles": [group]} for spec, _, _ in hosts for group in spec.groups}
    data = {group: {**groups.get(group, {}), **group_data.get(group, {})} for group in {**groups, **group_data}}
    files = {
        "inventory/defaults.yaml": "username: root\n",
        "inventory/groups.yaml": _yaml({group: {"data": fields} for group, fields in sorted(data.items())}),
        "inventory/hosts.yaml": _yaml({spec.name: _host(spec, port) for spec, port, _ in hosts}),
        KNOWN_HOSTS: "".join(known_hosts_line(port, key, spec.faults) for spec, port, key in hosts),
        "sysfleet.toml": _SETTINGS,
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if templates is not None:
        shutil.rmtree(folder / "templates", ignore_errors=True)
        shutil.copytree(templates, folder / "templates")


def told(spec: HostSpec, loader: Loader) -> HostSpec:
    """The host as its inventory has to tell of it: a loader without globs sets only interfaces that are named."""
    if loader not in {"alpine", "openrc"} or "interfaces" in spec.data:
        return spec
    return replace(spec, data={**spec.data, "interfaces": [f"eth{number}" for number in range(spec.interfaces)]})


def _host(spec: HostSpec, port: int) -> dict[str, Any]:
    """Hostname and port are as the host before it sees them, where one is named to jump through."""
    fields: dict[str, Any] = {"hostname": "127.0.0.1", "port": port, "groups": list(spec.groups)}
    if spec.user != "root":
        fields["username"] = spec.user
    data = {**spec.data, **({"proxy_jump": spec.behind} if spec.behind else {})}
    return {**fields, "data": data} if data else fields


def _yaml(entries: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["---"]
    for name, fields in entries.items():
        lines.append(f"{name}:")
        lines += [f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"
