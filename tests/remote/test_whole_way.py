"""Read, change, persist and read again over SSH, on a host of every kind of lab, proven by another client."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sysfleet.errors import LoginRejected
from sysfleet.lab import HostSpec, Lab
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.password import Password
from sysfleet.remote.programs.changing import ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.persisting import PersistRequest, parse_persist, persist_program
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target
from sysfleet.sysctl.key import Key
from tests.remote.boxes import MARK
from tests.support.lab import LabFactory, ssh

COOKIES = Key("net.ipv4.tcp_syncookies")
EACH = Key("net.ipv4.conf.*.accept_redirects")
OURS = "/etc/sysctl.d/99-zz-sysfleet.conf"
HEADER = "# Written by sysfleet."
CONTENT = f"{HEADER}\nnet.ipv4.tcp_syncookies = 0\n".encode()


def soon() -> float:
    return time.monotonic() + 60


def way_in(lab: Lab, name: str, **options: Any) -> ParamikoSession:
    access = Access(KnownHosts.load([lab.known_hosts]), Identities.load([lab.client_key]), **options)
    return connect(
        Target(name=name, address="127.0.0.1", mark=MARK, port=lab.hosts[name].port), access, deadline=soon()
    )


def perform(session: ParamikoSession, program: bytes) -> Completed:
    return session.run(program, deadline=soon(), limit_bytes=10_000_000, privileged=True)


def test_a_host_is_read_changed_and_its_file_put_in_place(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("h1", values={COOKIES: "1"}), **lab_kind)
    first = way_in(lab, "h1")
    reading = parse_reading(perform(first, read_program(ReadRequest((COOKIES, EACH)))).stdout)
    assert reading.text(COOKIES) == "1"
    assert reading.text(Key("net.ipv4.conf.eth0.accept_redirects")) is not None
    assert (reading.facts.stand_in is not None) == (lab_kind["mode"] == "folder")

    late = reading.facts.uptime_s + 600
    settle = ((COOKIES, "0"),)
    change = ChangeRequest("r1", late, tuple(reading.values.items()), settle, (COOKIES,), reading.files_token)
    assert parse_change(perform(first, change_program(change)).stdout).state == "settled"

    second = way_in(lab, "h1")
    persist = PersistRequest("r1", late, OURS, CONTENT, reading.files_token, settle, HEADER)
    assert parse_persist(perform(second, persist_program(persist)).stdout).state == "committed"
    again = parse_reading(perform(second, read_program(ReadRequest((COOKIES,)))).stdout)
    first.close()
    second.close()

    assert again.text(COOKIES) == "0"
    assert [file.content for file in again.files if file.path == OURS] == [CONTENT]
    root = reading.facts.stand_in or ""
    seen = ssh(lab, "h1", f"cat {root}/proc/sys/net/ipv4/tcp_syncookies {root}{OURS}").stdout
    assert seen == b"0\n" + CONTENT


def test_a_password_is_refused_by_a_host_that_takes_keys_alone(lab: Lab) -> None:
    name = next(iter(lab.hosts))
    access = Access(KnownHosts.load([lab.known_hosts]), password=lambda _: Password(lambda: "guess"))
    target = Target(name=name, address="127.0.0.1", mark=MARK, port=lab.hosts[name].port)
    with pytest.raises(LoginRejected, match="a password") as caught:
        connect(target, access, deadline=soon())
    assert "publickey" in (caught.value.evidence or "")
