"""One entry of an inventory file (a host, a group, the defaults) from its node to a draft.

Fields are checked; names of groups and roles are not yet looked up. Refuses to know the other entries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from sysfleet.policy.entries import CONNECTION, PROXY_JUMP, ConnectionEntry, Secret
from sysfleet.policy.override import read_rules
from sysfleet.policy.rule import Layer
from sysfleet.policy.yaml_fields import (
    Findings,
    fields,
    is_null,
    kind_of,
    known_fields,
    nearest,
    plain,
    text_of,
    texts_of,
)
from sysfleet.policy.yaml_text import Node, Scalar
from sysfleet.settings import Connection

_LOGIN_FIELDS = ("hostname", "port", "username", "password", "platform")
DEFAULTS_FIELDS = (*_LOGIN_FIELDS, "data", "connection_options")
ENTRY_FIELDS = (*_LOGIN_FIELDS, "groups", "data", "connection_options")
_CONNECTION_FIELDS = (*_LOGIN_FIELDS, "extras")
_MEANT = {
    "ansible_host": "hostname",
    "address": "hostname",
    "host": "hostname",
    "ip": "hostname",
    "ansible_port": "port",
    "ansible_user": "username",
    "user": "username",
    "login": "username",
    "vars": "data",
    "parents": "groups",
    "children": "groups",
}
_BELOW_DATA = ("roles", "role", "sysctl")
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_HIGHEST_PORT = 65535
# A leading dash would be an option of ssh(1), and what `--limit` uses as marks could not be selected.
_NAME = re.compile(r"[^\s\-/()&|!,=\"'*?\[\]][^\s/()&|!,=\"'*?\[\]]*")
_ADDRESS = re.compile(r"[\w:][\w.:%-]*")
_INTERFACE = re.compile(r"[\w.:@*?!\[\]-]{1,64}", re.ASCII)
_JUMP = r"(?:[^\s@,-][^\s@,]*@)?(?:[^\s@,\[\]:-][^\s@,\[\]:]*|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?"
_PROXY_JUMP = re.compile(rf"{_JUMP}(?:,{_JUMP})*")
_CONNECTIONS = get_args(Connection)
_ONE_OF_CONNECTIONS = f"write one of {', '.join(_CONNECTIONS)}"
_LOGIN = re.compile(r"[^\s-]\S*")


@dataclass(slots=True)
class Draft:
    """An entry whose own fields hold; `groups` and `roles` are names with the lines that name them."""

    name: str
    line: int
    known: dict[str, Any] = field(default_factory=dict)
    groups: list[tuple[str, int]] = field(default_factory=list)
    roles: list[tuple[str, int]] = field(default_factory=list)


def read_entry(name: str, line: int, node: Node, findings: Findings, layer: Layer, allowed: tuple[str, ...]) -> Draft:
    """The draft of one entry; every problem in it is noted."""
    draft = Draft(name, line)
    what = name if layer is Layer.DEFAULTS else f"{layer} {name}"
    for key, _, value in known_fields(node, findings, what, allowed, _advice):
        if is_null(value):
            continue
        if key == "groups":
            draft.groups = texts_of(value, findings, f"groups of {what}")
        elif key == "data":
            _read_data(draft, value, findings, layer, what)
        elif key == "connection_options":
            draft.known[key] = _connections(value, findings, what)
        else:
            draft.known[key] = _login_field(key, value, findings, what)
    return draft


def checked_name(name: str, line: int, findings: Findings, kind: str) -> bool:
    """Whether a host or group may be called so; noted if not."""
    if _NAME.fullmatch(name) and name.isprintable():
        return True
    hint = "a name has no white space, no leading dash, and none of / ( ) & | ! , = * ? [ ] and quotes"
    findings.add(line, f"{name!r} cannot be the name of a {kind}", hint)
    return False


def _advice(name: str) -> str | None:
    if name in _BELOW_DATA:
        return f"{'roles' if name == 'role' else name} stands below data"
    return f"did you mean {_MEANT[name]}?" if name in _MEANT else None


def _read_data(draft: Draft, node: Node, findings: Findings, layer: Layer, what: str) -> None:
    data: dict[str, Any] = {}
    for key, line, value in fields(node, findings, f"data of {what}"):
        if key == "sysctl":
            draft.known["rules"] = read_rules(value, findings, layer, draft.name)
        elif key == "roles":
            draft.roles = _roles(value, line, findings, layer, what)
            data[key] = [name for name, _ in draft.roles]
        elif key == "interfaces":
            data[key] = _interfaces(value, findings, what)
        elif key == CONNECTION:
            data[key] = _connection(value, findings, what)
        elif key == PROXY_JUMP:
            data[key] = _proxy_jump(value, findings, what)
        elif key == "role":
            findings.add(line, f"data of {what} has role", "write roles: [name]")
        else:
            data[key] = plain(value, findings, key)
    draft.known["data"] = data


def _connection(node: Node, findings: Findings, what: str) -> str | None:
    text = text_of(node, findings, f"connection of {what}")
    if text is not None and text not in _CONNECTIONS:
        findings.add(node.line, f"connection of {what} is {text!r}", nearest(text, _CONNECTIONS) or _ONE_OF_CONNECTIONS)
        return None
    return text


def _proxy_jump(node: Node, findings: Findings, what: str) -> str | None:
    """Bastions as ssh_config(5) writes them; what they are called there or in this inventory is not known here."""
    text = text_of(node, findings, f"proxy_jump of {what}")
    if text is not None and not _PROXY_JUMP.fullmatch(text):
        findings.add(node.line, f"proxy_jump of {what} is {text!r}", "write [user@]host[:port], several with commas")
        return None
    return text


def _roles(node: Node, line: int, findings: Findings, layer: Layer, what: str) -> list[tuple[str, int]]:
    if layer is Layer.DEFAULTS:
        hint = "name them in a group; templates/base.conf.j2 is for every host"
        findings.add(line, "roles stand in the defaults", hint)
        return []
    return texts_of(node, findings, f"roles of {what}")


def _interfaces(node: Node, findings: Findings, what: str) -> list[str]:
    """Names and globs that the file may write out besides those of the settings."""
    good: list[str] = []
    for name, line in texts_of(node, findings, f"interfaces of {what}"):
        if _INTERFACE.fullmatch(name):
            good.append(name)
        else:
            findings.add(line, f"{name!r} in interfaces of {what} is no interface", "write a name as eth0, or eth*")
    return good


def _connections(node: Node, findings: Findings, what: str) -> Mapping[str, ConnectionEntry]:
    found: dict[str, ConnectionEntry] = {}
    for kind, _, value in fields(node, findings, f"connection_options of {what}"):
        place = f"connection {kind} of {what}"
        known: dict[str, Any] = {}
        for key, _, part in known_fields(value, findings, place, _CONNECTION_FIELDS, _advice):
            if is_null(part):
                continue
            if key == "extras":
                known[key] = {name: plain(each, findings, name) for name, _, each in fields(part, findings, place)}
            else:
                known[key] = _login_field(key, part, findings, place)
        found[kind] = ConnectionEntry(**known)
    return found


def _login_field(key: str, node: Node, findings: Findings, what: str) -> Any:
    if key == "port":
        return _port(node, findings, what)
    text = text_of(node, findings, f"{key} of {what}")
    if text is None or key == "platform":
        return text
    if key == "password":
        return Secret(text)
    form, hint = (_ADDRESS, _address_hint(text)) if key == "hostname" else (_LOGIN, "a login has no white space")
    if not form.fullmatch(text) or (key == "hostname" and re.fullmatch(r"[^:]+:\d*", text)):
        findings.add(node.line, f"{key} of {what} is {text!r}", hint)
        return None
    return text


def _address_hint(text: str) -> str:
    if "@" in text:
        return "write the login as username, by itself"
    if re.fullmatch(r"[^:]+:\d*", text) or text.startswith("["):
        return "write the port as port, by itself, and no brackets"
    return "write a name or an address"


def _port(node: Node, findings: Findings, what: str) -> int | None:
    if isinstance(node, Scalar) and _PORT.fullmatch(node.text) and int(node.text) <= _HIGHEST_PORT:
        return int(node.text)
    findings.add(node.line, f"port of {what} is {kind_of(node)}", f"write a number from 1 to {_HIGHEST_PORT}")
    return None
