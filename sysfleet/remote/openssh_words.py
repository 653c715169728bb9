"""Why ssh made no connection: which of our errors its words are.

Words in, error out; the files of host keys that it names are asked about through `Trusted`.
"""

from __future__ import annotations

import re
from typing import Protocol

from sysfleet.errors import (
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostError,
    HostKeyRejected,
    LoginRejected,
    Unreachable,
)
from sysfleet.remote.evidence import clean
from sysfleet.remote.openssh_log import Said


class Trusted(Protocol):
    """What stands in the files of host keys."""

    def key(self, file: str, number: int) -> str | None:
        """The key in a line, as people compare it: `type SHA256:…`."""

    def revoked_at(self, fingerprint: str) -> str | None:
        """`file:line` of the line that revokes a key."""


_HINTS: dict[type[HostError], str] = {
    ConnectTimeout: "check address, port and firewall, or raise [ssh] connect_timeout_s",
    ConnectionLost: "look into the host's log: MaxStartups, an address that is shut out",
    LoginRejected: "check the user, the key and the agent: ssh -v with the same ones tells more",
    Unreachable: "check address, port and firewall",
}
# In this order: what says more comes first.
_TABLE: tuple[tuple[re.Pattern[str], type[HostError], str], ...] = tuple(
    (re.compile(pattern), kind, message)
    for pattern, kind, message in (
        (
            r"[Bb]ad configuration option|line \d+: |Bad owner or permissions|Can't open user config file",
            ConnectError,
            "ssh cannot follow its configuration",
        ),
        (
            r"no matching host key type found",
            HostKeyRejected,
            "the host has no key of the types that are known for it",
        ),
        (r"Host key verification failed|host key is known", HostKeyRejected, "the host key is not trusted"),
        (r"Permission denied \(|Too many authentication failures", LoginRejected, "the host refused the login"),
        (r"Could not resolve hostname", Unreachable, "the host's name cannot be resolved"),
        (r"administratively prohibited", ConnectError, "the bastion forwards nobody to the host"),
        (r"Connection refused", Unreachable, "the host refuses connections"),
        (r"[Tt]imed out|[Tt]imeout", ConnectTimeout, "nothing answered in time"),
        (r"[Nn]o route to host|is unreachable|connect to host|open failed", Unreachable, "the network refused"),
        (r"Unable to negotiate|no matching ", ConnectError, "the host speaks no algorithm that is allowed here"),
        (r"invalid characters|banner line|[Pp]rotocol mismatch|Bad packet", ConnectError, "it speaks no SSH"),
    )
)
_CLOSED = re.compile(r"[Cc]onnection closed|[Cc]onnection reset|Broken pipe|Disconnected from|Received disconnect")

_SHOWN = re.compile(r"Server host key: (\S+) (SHA256:\S+)")
_SHOWN_CERTIFICATE = re.compile(r"Server host certificate: (\S+) (SHA256:[^\s,]+),.* CA (\S+) (SHA256:\S+) valid ")
_SHOWN_CHANGED = re.compile(r"fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/=]+)")
_OFFENDING = re.compile(r"^Offending .*key in (.+):(\d+)\s*$", re.MULTILINE)
_UNKNOWN = re.compile(r"^No (\S+) host key is known for (.+) and you have requested", re.MULTILINE)
_CHANGED = re.compile(r"^Host key for (.+) has changed and you have requested", re.MULTILINE)
_REVOKED = re.compile(r"^(?:The )?(\S+) host key for (.+) (?:is marked as|was) revoked", re.MULTILINE)

_OFFERED = re.compile(r"^debug1: Offering public key: (.+?) \S+ SHA256:\S+(.*)$", re.MULTILINE)
_TAKEN = re.compile(r"^debug1: Server accepts key: (.+?) \S+ SHA256:\S+", re.MULTILINE)
_METHOD = re.compile(r"^debug1: Next authentication method: (\S+)", re.MULTILINE)
_CONTINUE = re.compile(r"^debug1: Authentications that can continue: (\S+)", re.MULTILINE)


def reason(said: Said, *, user: str, host: str, elapsed_s: float, late: bool, trusted: Trusted) -> HostError:
    """Why there is no connection; `late`: its time was over."""
    after = "at once" if elapsed_s < 0.95 else f"after {elapsed_s:.0f} s"
    steps = f"{said.phase}, {after}"
    if late:
        return _error(ConnectTimeout, f"nothing answered in time ({steps})", said)
    found = _found(said.words)
    if found is not None:
        return _told(found, said, said.log, user=said.user or user, host=host, steps=steps, trusted=trusted)
    on_the_way = _found(said.errors)
    if on_the_way is not None:
        told = _told(on_the_way, said, said.errors, user="the user", host=host, steps=steps, trusted=trusted)
        return type(told)(f"on the way: {told.message}", phase="connect", hint=told.hint, evidence=told.evidence)
    if said.phase == "login" and _CONTINUE.search(said.log):
        return _login(said, user=said.user or user, begins="the host hung up during the login: ")
    if _CLOSED.search(said.words):
        return _error(ConnectionLost, f"the host ended the connection ({steps})", said)
    return _error(ConnectError, f"ssh made no connection ({steps})", said)


def _found(words: str) -> tuple[type[HostError], str] | None:
    return next(((kind, message) for pattern, kind, message in _TABLE if pattern.search(words)), None)


def _told(
    found: tuple[type[HostError], str], said: Said, log: str, *, user: str, host: str, steps: str, trusted: Trusted
) -> HostError:
    kind, message = found
    if kind is HostKeyRejected:
        return _host_key(message, said, log, host=host, trusted=trusted)
    if kind is LoginRejected and log is said.log:
        return _login(said, user=user)
    if kind is LoginRejected:
        return _error(kind, "the bastion refused the login", said)
    return _error(kind, f"{message} ({steps})", said)


def _error(kind: type[HostError], message: str, said: Said) -> HostError:
    words = clean(said.words) or clean(said.errors)
    return kind(message, phase="connect", hint=_HINTS.get(kind), evidence=words or None)


def _host_key(message: str, said: Said, log: str, *, host: str, trusted: Trusted) -> HostError:
    shown = _SHOWN.search(log) or _SHOWN_CHANGED.search(log)
    key = clean(f"{shown[1]} {shown[2]}") if shown else "a key"
    if found := _REVOKED.search(log):
        told, hint = (
            f"the host key of {clean(found[2])} is revoked: {_revoked(log, trusted)}",
            "give the host a new key",
        )
    elif found := _CHANGED.search(log):
        places = [(clean(file), int(line)) for file, line in _OFFENDING.findall(log)]
        others = "; ".join(f"{file}:{line} says {trusted.key(file, line) or 'another'}" for file, line in places[:3])
        told = f"the host key of {clean(found[1])} is not the known one: it shows {key}, {others or 'another is known'}"
        hint = "somebody may be in between, or the host was set up anew: prove the key before you replace the line"
    elif found := _UNKNOWN.search(log):
        told = f"the host key of {clean(found[2])} is unknown: it shows {key}"
        hint = "prove the key another way, then add it to known_hosts"
    else:
        return HostKeyRejected(f"{message}: {host} shows {key}", phase="connect", evidence=clean(said.words) or None)
    return HostKeyRejected(told, phase="connect", hint=hint)


def _revoked(log: str, trusted: Trusted) -> str:
    """The key that is revoked, of those that the host showed: its own, or its certificate's authority's."""
    shown, certificate = _SHOWN.search(log), _SHOWN_CERTIFICATE.search(log)
    keys = [("", shown[1], shown[2])] if shown else []
    if certificate is not None:
        keys = [
            ("its certificate's authority ", certificate[3], certificate[4]),
            ("its certificate's key ", certificate[1], certificate[2]),
        ]
    for whose, kind, fingerprint in keys:
        if place := trusted.revoked_at(fingerprint):
            return clean(f"{whose}{kind} {fingerprint}, {place}")
    return clean(" or ".join(f"{whose}{kind} {fingerprint}" for whose, kind, fingerprint in keys)) or "a key"


def _login(said: Said, *, user: str, begins: str = "") -> HostError:
    offered = [clean(name) + _origin(rest) for name, rest in _OFFERED.findall(said.log)]
    offered += [f"{name} (method)" for name in dict.fromkeys(_METHOD.findall(said.log)) if name != "publickey"]
    story = "the host refused " + ", ".join(dict.fromkeys(offered)) if offered else "there is no key to offer"
    taken = _TAKEN.findall(said.log)
    if taken:
        # The host would have let this key in: signing with it failed on this side.
        story = f"{clean(taken[-1])} cannot be used here: it wants a passphrase, a touch or its agent's consent"
    takes = _CONTINUE.findall(said.log)
    allowed = f"the host takes: {', '.join(sorted(takes[-1].split(',')))}" if takes else ""
    evidence = clean(f"{allowed} {_notes(said)}") or None
    message = f"{user} may not log in: {begins}{story}"
    return LoginRejected(message, phase="connect", hint=_HINTS[LoginRejected], evidence=evidence)


def _origin(rest: str) -> str:
    return " of the agent" if " agent" in rest else ""


def _notes(said: Said) -> str:
    """Lines of ssh's own that say more than that the login was refused."""
    return " ".join(line for line in said.words.splitlines() if "Permission denied (" not in line)
