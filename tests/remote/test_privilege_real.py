"""Root rights by the real sudo and doas of lab hosts: every way that they are had, and every way that they are not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sysfleet.errors import CommandFailed, PrivilegeDenied, SetupError
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.password import Password
from sysfleet.remote.privilege import Method
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.support.lab import LAB_KINDS, make_lab, ssh
from tests.support.skips import NOT_ON_THIS_KERNEL

RIGHT, WRONG = "lab-Pa55 wörd", "swordfish"
PROGRAM = b"id -u; echo told >&2; exit 3"

SUDO = (
    Login("free", sudo=("nopasswd",)),
    Login("asked", sudo=("password",), password=RIGHT),
    Login("lectured", sudo=("password", "lecture"), password=RIGHT),
    Login("seated", sudo=("nopasswd", "requiretty")),
    Login("seatedasked", sudo=("password", "requiretty", "lecture"), password=RIGHT),
    Login("boxed", sudo=("nopasswd", "use_pty")),
    Login("boxedasked", sudo=("password", "use_pty"), password=RIGHT),
    Login("boxedseated", sudo=("password", "use_pty", "requiretty"), password=RIGHT),
    Login("ticketed", sudo=("password", "ticket"), password=RIGHT),
    Login("stranger", password=RIGHT),
)
DOAS = (
    Login("dfree", doas="nopass"),
    Login("dasked", doas="password", password=RIGHT),
    Login("dstranger", password=RIGHT),
)
SHELLS = {
    "in-bash": "/bin/bash",
    "in-csh": "/bin/csh",
    "in-tcsh": "/bin/tcsh",
    "in-fish": "/usr/bin/fish",
    "in-ash": "/bin/ash",
}
NEEDED = "asked", "lectured", "boxedasked"
TAKEN_IN_TERMINAL = "seatedasked", "boxedseated"


def _shells() -> Iterator[Login]:
    for name, path in SHELLS.items():
        if Path(path).exists() or (path == "/bin/ash" and shutil.which("busybox")):
            yield Login(name, shell=path, sudo=("password",), doas="password", password=RIGHT)
    yield Login("in-nologin", shell="/usr/sbin/nologin", sudo=("nopasswd",))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    for program in ("sudo", "doas"):
        if shutil.which(program) is None:
            pytest.skip(f"the program {program} is not installed")
    hosts = [HostSpec("host", logins=(*SUDO, *DOAS)), HostSpec("shells", logins=tuple(_shells()))]
    try:
        running = make_lab(tmp_path_factory.mktemp("privilege") / "lab", hosts, **LAB_KINDS["openssh"])
    except SetupError as error:
        if "is refused here" in error.message:
            pytest.skip(f"{NOT_ON_THIS_KERNEL} {error.message}")
        raise
    with running:
        yield running


@dataclass(frozen=True)
class Way:
    """A login of a lab host, and what is known to get root rights with."""

    lab: Lab
    user: str
    method: Method = "sudo"
    password: Password | None = None
    host: str = "host"

    def connect(self) -> ParamikoSession:
        access = Access(
            KnownHosts.load([self.lab.known_hosts]),
            Identities.load([self.lab.client_key]),
            privilege=self.method,
            privilege_password=lambda _: self.password,
        )
        port = self.lab.hosts[self.host].port
        target = Target(name=self.user, address="127.0.0.1", mark=MARK, port=port, user=self.user)
        return connect(target, access, deadline=soon())

    def run(self, program: bytes = PROGRAM, *, seconds: float = 60, privileged: bool = True) -> Completed:
        """What the second of two runs over one connection gives."""
        session = self.connect()
        try:
            first, second = (
                session.run(program, deadline=soon(seconds), limit_bytes=1 << 21, privileged=privileged)
                for _ in range(2)
            )
            assert (first.status, first.stdout) == (second.status, second.stdout)
            return second
        finally:
            session.close()

    def denied(self) -> PrivilegeDenied:
        """How the rights are refused; nothing that is told holds a password."""
        with pytest.raises(PrivilegeDenied) as caught:
            self.run()
        told = f"{caught.value!r} {caught.value.message} {caught.value.evidence} {caught.value.hint}"
        assert RIGHT not in told
        assert WRONG not in told
        return caught.value


def soon(seconds: float = 60) -> float:
    return time.monotonic() + seconds


def secret(text: str) -> Password:
    return Password(lambda: text)


def is_root(done: Completed) -> bool:
    return (done.status, done.stdout, done.stderr) == (3, b"0\n", b"told\n")


@pytest.mark.parametrize("user", ["free", "boxed", "seated"])
@pytest.mark.parametrize("text", [None, RIGHT, WRONG])
def test_sudo_that_asks_for_nothing_is_given_nothing(lab: Lab, user: str, text: str | None) -> None:
    password = None if text is None else secret(text)
    assert is_root(Way(lab, user, password=password).run())
    assert password is None or not password.proven


@pytest.mark.parametrize("user", [*NEEDED, *TAKEN_IN_TERMINAL])
def test_sudo_is_given_the_password_that_it_asks_for(lab: Lab, user: str) -> None:
    password = secret(RIGHT)
    assert is_root(Way(lab, user, password=password).run())
    assert password.proven


@pytest.mark.parametrize("user", [*NEEDED, *TAKEN_IN_TERMINAL])
def test_a_proven_password_is_not_kept_from_any_host(lab: Lab, user: str) -> None:
    password = secret(RIGHT)
    password.worked("another")
    assert is_root(Way(lab, user, password=password).run())


@pytest.mark.parametrize("user", [*NEEDED, *TAKEN_IN_TERMINAL])
def test_sudo_without_the_password_it_needs_is_denied(lab: Lab, user: str) -> None:
    denied = Way(lab, user).denied()
    assert denied.message == f"{user} gets no root rights"
    assert denied.evidence == "sudo: a password is required"
    assert "--ask-root-password" in (denied.hint or "")


@pytest.mark.parametrize("user", [*NEEDED, *TAKEN_IN_TERMINAL])
def test_a_wrong_password_is_sent_once_and_to_one_host(lab: Lab, user: str) -> None:
    password = secret(WRONG)
    denied = Way(lab, user, password=password).denied()
    assert denied.message == f"{user} gets no root rights"
    assert "Sorry, try again." in (denied.evidence or "")
    assert "2 incorrect" not in (denied.evidence or "")
    assert "to no other host" in (denied.hint or "")
    other = Way(lab, "asked", password=password).denied()
    assert other.message == f"not tried here: {user} refused the password"
    assert other.evidence == "sudo: a password is required"
    assert is_root(Way(lab, "free", password=password).run())


def test_a_wrong_password_counts_as_one_attempt(lab: Lab) -> None:
    denied = Way(lab, "asked", password=secret(WRONG)).denied()
    assert "sudo: 1 incorrect password attempt" in (denied.evidence or "")


def test_a_cached_ticket_is_enough(lab: Lab) -> None:
    assert Way(lab, "ticketed").denied().evidence == "sudo: a password is required"
    assert is_root(Way(lab, "ticketed", password=secret(RIGHT)).run())
    assert is_root(Way(lab, "ticketed").run())
    unused = secret(WRONG)
    assert is_root(Way(lab, "ticketed", password=unused).run())
    unused.worked("another")
    assert is_root(Way(lab, "ticketed", password=unused).run())
    ssh(lab, "host", "sudo -K", username="ticketed")


@pytest.mark.parametrize("text", [RIGHT, WRONG])
def test_who_is_not_in_sudoers_is_told_so(lab: Lab, text: str) -> None:
    password = secret(text)
    denied = Way(lab, "stranger", password=password).denied()
    wrong = "Sorry, try again."
    assert (wrong if text == WRONG else "stranger is not in the sudoers file") in (denied.evidence or "")
    assert password.proven == (text == RIGHT)


@pytest.mark.parametrize("method", ["doas", "auto"])
def test_doas_without_a_password(lab: Lab, method: Method) -> None:
    if method == "auto":
        assert is_root(Way(lab, "free", method).run())
    else:
        assert is_root(Way(lab, "dfree", method).run())
        assert is_root(Way(lab, "dfree", method, secret(WRONG)).run())


def test_doas_is_given_the_password_in_a_terminal(lab: Lab) -> None:
    password = secret(RIGHT)
    assert is_root(Way(lab, "dasked", "doas", password).run())
    assert password.proven
    assert is_root(Way(lab, "dasked", "doas", password).run())


def test_doas_without_the_password_it_needs_is_denied(lab: Lab) -> None:
    denied = Way(lab, "dasked", "doas").denied()
    assert denied.evidence == "doas: Authentication required"
    assert "--ask-root-password" in (denied.hint or "")


def test_doas_refuses_a_wrong_password_once(lab: Lab) -> None:
    password = secret(WRONG)
    denied = Way(lab, "dasked", "doas", password).denied()
    assert denied.evidence == "doas: Authentication failed"
    assert Way(lab, "dasked", "doas", password).denied().message == "not tried here: dasked refused the password"


@pytest.mark.parametrize("text", [None, RIGHT])
def test_who_is_not_in_doas_conf_is_told_so_and_given_nothing(lab: Lab, text: str | None) -> None:
    password = None if text is None else secret(text)
    denied = Way(lab, "dstranger", "doas", password).denied()
    assert denied.evidence == "doas: Operation not permitted"
    assert "rule" in (denied.hint or "")
    assert password is None or not password.proven


@pytest.mark.parametrize("user", list(SHELLS))
@pytest.mark.parametrize("method", ["sudo", "doas"])
def test_every_login_shell_lets_both_be_had(lab: Lab, user: str, method: Method) -> None:
    if all(login.name != user for login in _shells()):
        pytest.skip(f"the shell {SHELLS[user]} is not installed")
    assert is_root(Way(lab, user, method, secret(RIGHT), host="shells").run())
    assert Way(lab, user, method, host="shells").run(privileged=False).stdout != b"0\n"


@pytest.mark.parametrize("privileged", [True, False])
@pytest.mark.parametrize("method", ["sudo", "doas", "auto"])
def test_a_login_shell_that_refuses_says_so_in_its_own_words(lab: Lab, method: Method, *, privileged: bool) -> None:
    with pytest.raises(CommandFailed) as caught:
        Way(lab, "in-nologin", method, secret(RIGHT), host="shells").run(privileged=privileged)
    assert caught.value.message == "the login shell runs no programs (status 1)"
    assert "not available" in (caught.value.evidence or "")
    assert not isinstance(caught.value, PrivilegeDenied)


@pytest.mark.parametrize("user", ["dasked", "boxedasked", "seatedasked", "boxedseated", "boxed", "seated"])
def test_a_large_program_and_output_pass_whatever_is_in_between(lab: Lab, user: str) -> None:
    every = bytes(range(1, 256)) * 1000
    program = b"printf '%s' '" + every.replace(b"'", b"'\\''") + b"'"
    done = Way(lab, user, "doas" if user == "dasked" else "sudo", secret(RIGHT)).run(program)
    assert (done.status, done.stdout) == (0, every)


def test_no_host_waits_for_another_longer_than_its_own_deadline(lab: Lab) -> None:
    password = secret(RIGHT)
    password.ask("elsewhere", until=soon())
    with pytest.raises(PrivilegeDenied) as caught:
        Way(lab, "asked", password=password).run(seconds=1)
    assert caught.value.message == "not tried here: elsewhere has not said yet whether the password is right"
