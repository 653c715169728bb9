"""Users of lab hosts besides root: their shells, ways in, and what they may become root with, by the real programs."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.lab.logins import check
from tests.support.lab import LAB_KINDS, Answer, LabFactory, connect, make_lab, ssh
from tests.support.needs import needs
from tests.support.skips import NOT_ON_THIS_KERNEL

_PASSWORD = "lab-Pa55 wörd"
_ANSWER = f"{_PASSWORD}\n".encode()

_SHELLS = {
    "in-sh": "/bin/sh",
    "in-bash": "/bin/bash",
    "in-dash": "/bin/dash",
    "in-csh": "/bin/csh",
    "in-fish": "/usr/bin/fish",
    "in-ash": "/bin/ash",
}
_NOLOGIN = Login("in-nologin", shell="/usr/sbin/nologin")
_SUDOERS = (
    Login("free", sudo=("nopasswd",)),
    Login("asked", sudo=("password",), password=_PASSWORD),
    Login("lectured", sudo=("password", "lecture"), password=_PASSWORD),
    Login("seated", sudo=("nopasswd", "requiretty")),
    Login("boxed", sudo=("nopasswd", "use_pty")),
    Login("ticketed", sudo=("password", "ticket"), password=_PASSWORD),
    Login("helped", sudo=("password", "ticket"), password=_PASSWORD),
    Login("nobody-much", password=_PASSWORD),
)
_DOERS = (
    Login("dfree", doas="nopass"),
    Login("dasked", doas="password", password=_PASSWORD),
    Login("dnone", password=_PASSWORD),
)


def _is_there(shell: str) -> bool:
    return shutil.which("busybox") is not None if shell == "/bin/ash" else Path(shell).exists()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, asyncssh.SSHKey]:
    return {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("own", "user-ca", "host-ca")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, asyncssh.SSHKey]) -> Iterator[Lab]:
    shells = tuple(Login(name, shell=shell) for name, shell in _SHELLS.items() if _is_there(shell))
    own, user_ca = (keys[name].export_public_key().decode() for name in ("own", "user-ca"))
    hosts = [
        HostSpec(
            "shells",
            user="in-sh",
            logins=(*shells, _NOLOGIN),
            files={"/home/in-sh/.config/x": b"here\n"},
            sshd=("DenyUsers in-dash", "Match User in-bash", "ForceCommand echo forced"),
        ),
        HostSpec(
            "keys",
            logins=(Login("locked", keys=()), Login("own", keys=(own,)), Login("vouched", keys=())),
            files={"/etc/ssh/user_ca.pub": user_ca.encode()},
            sshd=("TrustedUserCAKeys /etc/ssh/user_ca.pub", "HostCertificate /etc/ssh/host-cert.pub"),
        ),
        HostSpec(
            "both", logins=(Login("twice", password=_PASSWORD),), sshd=("AuthenticationMethods publickey,password",)
        ),
    ]
    if shutil.which("sudo"):
        hosts.append(HostSpec("sudo", logins=_SUDOERS))
    if shutil.which("doas"):
        hosts.append(HostSpec("doas", logins=_DOERS))
    try:
        running = make_lab(tmp_path_factory.mktemp("logins") / "lab", hosts, **LAB_KINDS["openssh"])
    except SetupError as error:
        if "is refused here" in error.message:
            pytest.skip(f"{NOT_ON_THIS_KERNEL} {error.message}")
        raise
    with running:
        yield running


def _as(lab: Lab, host: str, user: str, command: str, stdin: bytes = b"") -> Answer:
    return ssh(lab, host, command, stdin=stdin, username=user)


def _on_terminal(lab: Lab, host: str, user: str, command: str, answer: str = "") -> Answer:
    """Run a command on a terminal; the answer is typed when a question for a password has come."""

    async def run() -> Answer:
        async with connect(lab, host, username=user) as connection:
            process = await connection.create_process(command, term_type="xterm")
            said = await process.stdout.readuntil("assword: ") if answer else ""
            if answer:
                process.stdin.write(f"{answer}\n")
            done = await process.wait()
            return Answer(done.exit_status, (said + str(done.stdout)).encode(), b"", None)

    return asyncio.run(run())


def _is_let_in(lab: Lab, host: str, user: str, **options: Any) -> bool:
    try:
        return ssh(lab, host, "true", username=user, **options).status == 0
    except asyncssh.PermissionDenied:
        return False


@pytest.mark.parametrize("user", [name for name in _SHELLS if name not in {"in-bash", "in-dash"}])
def test_a_command_is_run_by_the_users_own_shell(lab: Lab, user: str) -> None:
    shell = Path(needs("busybox") if user == "in-ash" else needs(_SHELLS[user].rpartition("/")[2]))
    number = "$fish_pid" if user == "in-fish" else "$$"
    answer = _as(lab, "shells", user, f"readlink /proc/{number}/exe; id -un; true")
    assert answer.stdout.decode().split() == [str(shell.resolve()), user]


def test_a_user_without_a_shell_is_told_so(lab: Lab) -> None:
    answer = _as(lab, "shells", "in-nologin", "id")
    assert answer.status == 1
    assert b"not available" in answer.stdout
    assert b"uid" not in answer.stdout


def test_a_home_is_its_owners_alone_and_holds_the_specs_files(lab: Lab) -> None:
    assert _as(lab, "shells", "in-sh", "pwd; stat -c %a.%U . .config/x; cat .config/x").stdout.decode().split() == [
        "/home/in-sh",
        "700.in-sh",
        "644.in-sh",
        "here",
    ]
    assert b"Permission denied" in _as(lab, "shells", "in-ash", "ls /home/in-sh").stderr
    lab.restart("shells")
    assert _as(lab, "shells", "in-sh", "cat .config/x").stdout == b"here\n"


def test_a_user_of_a_host_is_no_root_of_it(lab: Lab) -> None:
    answer = _as(lab, "shells", "in-sh", "cat /etc/shadow; echo 1 >/proc/sys/net/ipv4/ip_forward; echo x >/etc/x")
    assert answer.stdout == b""
    assert answer.stderr.lower().count(b"permission denied") == 3


def test_the_inventory_names_the_user_that_is_to_log_in(lab: Lab) -> None:
    hosts = yaml.safe_load((lab.folder / "inventory/hosts.yaml").read_text(encoding="utf-8"))
    assert {name: fields.get("username") for name, fields in hosts.items() if name in {"shells", "keys"}} == {
        "shells": "in-sh",
        "keys": None,
    }


def test_only_a_users_own_keys_let_them_in(lab: Lab, keys: dict[str, asyncssh.SSHKey]) -> None:
    assert not _is_let_in(lab, "keys", "locked")
    assert not _is_let_in(lab, "keys", "own")
    assert _is_let_in(lab, "keys", "own", client_keys=[keys["own"]])
    assert _is_let_in(lab, "keys", "root")


def test_a_certificate_of_a_trusted_authority_lets_its_user_in(lab: Lab, keys: dict[str, asyncssh.SSHKey]) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    good = keys["user-ca"].generate_user_certificate(key, "good", principals=["vouched"])
    other = keys["host-ca"].generate_user_certificate(key, "other", principals=["vouched"])
    assert _is_let_in(lab, "keys", "vouched", client_keys=[(key, good)])
    assert not _is_let_in(lab, "keys", "vouched", client_keys=[(key, other)])


def test_a_host_certificate_speaks_for_a_host_whose_key_is_not_known(
    lab: Lab, keys: dict[str, asyncssh.SSHKey], tmp_path: Path
) -> None:
    host = lab.hosts["keys"]
    public = asyncssh.import_public_key(host.host_key)
    signed = keys["host-ca"].generate_host_certificate(public, "keys", principals=["127.0.0.1"])
    signed.write_certificate(str(host.etc / "ssh/host-cert.pub"))
    trusting = {name: tmp_path / name for name in ("host-ca", "user-ca")}
    for name, file in trusting.items():
        file.write_text(f"@cert-authority * {keys[name].export_public_key().decode()}", encoding="utf-8")
    assert ssh(lab, host, "hostname", known_hosts=str(trusting["host-ca"])).stdout == b"keys\n"
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(lab, host, "hostname", known_hosts=str(trusting["user-ca"]))


def test_the_specs_lines_of_sshd_config_come_before_the_labs(lab: Lab) -> None:
    needs("dash")
    assert not _is_let_in(lab, "shells", "in-dash")


def test_a_match_block_is_about_its_user_alone(lab: Lab) -> None:
    needs("bash")
    assert _as(lab, "shells", "in-bash", "id").stdout == b"forced\n"
    assert _as(lab, "shells", "root", "id -u").stdout == b"0\n"


def test_two_ways_in_can_be_demanded_together(lab: Lab) -> None:
    assert not _is_let_in(lab, "both", "twice")
    assert not _is_let_in(lab, "both", "twice", client_keys=None, password=_PASSWORD)
    assert _is_let_in(lab, "both", "twice", password=_PASSWORD)


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_lets_its_user_in_and_no_other_does(lab: Lab, method: str) -> None:
    needs("sudo")
    options = {"client_keys": None, "preferred_auth": method}
    assert _is_let_in(lab, "sudo", "asked", password=_PASSWORD, **options)
    assert not _is_let_in(lab, "sudo", "asked", password=f"{_PASSWORD}x", **options)
    assert not _is_let_in(lab, "sudo", "root", password=_PASSWORD, **options)
    # Where nobody has a password, none is asked for.
    assert not _is_let_in(lab, "shells", "in-sh", password=_PASSWORD, **options)


def test_the_sudoers_file_is_well_formed(lab: Lab) -> None:
    needs("visudo")
    done = lab.hosts["sudo"].run(["visudo", "-c", "-s"])
    assert (done.returncode, done.stdout) == (0, b"/etc/sudoers: parsed OK\n")


@pytest.mark.parametrize(
    ("user", "stdin", "out", "said"),
    [
        ("free", b"", b"0\n", ""),
        ("asked", _ANSWER, b"0\n", r"\[sudo\] password for asked: "),
        ("asked", b"", b"", "no password was provided"),
        ("asked", b"wrong\n", b"", "1 incorrect password attempt"),
        ("lectured", _ANSWER, b"0\n", "With great power"),
        ("seated", b"", b"", "you must have a tty"),
        ("nobody-much", _ANSWER, b"", "not in the sudoers file"),
    ],
    ids=["nopasswd", "right", "none", "wrong", "lecture", "requiretty", "not in sudoers"],
)
def test_sudo_does_as_the_login_says(lab: Lab, user: str, stdin: bytes, out: bytes, said: str) -> None:
    needs("sudo")
    answer = _as(lab, "sudo", user, "sudo -S id -u" if stdin else "sudo -S id -u </dev/null", stdin)
    assert (answer.status, answer.stdout) == (0 if out else 1, out)
    assert re.search(said, answer.stderr.decode())
    assert ("With great power" in answer.stderr.decode()) == (user == "lectured")


def test_sudo_that_wants_a_terminal_is_content_with_one(lab: Lab) -> None:
    needs("sudo")
    assert _on_terminal(lab, "sudo", "seated", "sudo id -u").stdout == b"0\r\n"


def test_sudo_gives_a_command_a_terminal_of_its_own_where_it_is_to(lab: Lab) -> None:
    needs("sudo")
    for user, is_another in (("boxed", True), ("free", False)):
        outer, inner = _on_terminal(lab, "sudo", user, "tty; sudo -n tty").stdout.split()
        assert (outer != inner) == is_another


def test_a_ticket_of_one_login_counts_for_the_next_where_it_is_to(lab: Lab) -> None:
    needs("sudo")
    for user, status in (("ticketed", 0), ("asked", 1)):
        assert _as(lab, "sudo", user, "sudo -n true").status == 1
        assert _as(lab, "sudo", user, "sudo -S -v", _ANSWER).status == 0
        assert _as(lab, "sudo", user, "sudo -n true").status == status


def test_a_ticket_can_be_got_from_outside(lab: Lab) -> None:
    needs("sudo")
    got = lab.hosts["sudo"].run(["su", "helped", "-c", "sudo -S -v"], input=_ANSWER)
    assert got.returncode == 0
    assert _as(lab, "sudo", "helped", "sudo -n id -u").stdout == b"0\n"


def test_doas_does_as_the_login_says(lab: Lab) -> None:
    needs("doas")
    assert _as(lab, "doas", "dfree", "doas id -u").stdout == b"0\n"
    assert b"Authentication failed" in _as(lab, "doas", "dasked", "doas id -u").stderr
    assert b"Operation not permitted" in _as(lab, "doas", "dnone", "doas id -u").stderr


@pytest.mark.parametrize(("typed", "status"), [(_PASSWORD, 0), ("wrong", 1)])
def test_doas_takes_the_right_password_on_a_terminal(lab: Lab, typed: str, status: int) -> None:
    needs("doas")
    answer = _on_terminal(lab, "doas", "dasked", "doas id -u", typed)
    assert answer.status == status
    assert answer.stdout.endswith(b"0\r\n") == (status == 0)


@pytest.mark.parametrize("kind", ["asyncssh", "folder"])
@pytest.mark.parametrize(
    ("spec", "wish"),
    [
        (HostSpec("a", logins=(Login("ops"),), user="ops"), "logins"),
        (HostSpec("a", sshd=("MaxSessions 1",)), "sshd"),
        (HostSpec("a", behind="b"), "behind"),
    ],
)
def test_a_lab_without_sshd_says_what_it_cannot_have(
    lab_factory: LabFactory, kind: str, spec: HostSpec, wish: str
) -> None:
    with pytest.raises(UsageError, match=f"^a: {wish} need namespaces and OpenSSH"):
        lab_factory(spec, HostSpec("b"), **LAB_KINDS[kind])


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (HostSpec("a", logins=(Login("Ops"),)), "name of a user"),
        (HostSpec("a", logins=(Login("root"),)), "name of a user"),
        (HostSpec("a", logins=(Login("x:0:0"),)), "name of a user"),
        (HostSpec("a", logins=(Login("x"), Login("x"))), "two users"),
        (HostSpec("a", logins=(Login("x", shell="sh"),)), "a shell"),
        (HostSpec("a", logins=(Login("x", shell="/bin/sh\nroot2::0:0::/:"),)), "a shell"),
        (HostSpec("a", logins=(Login("x", password=""),)), "password"),
        (HostSpec("a", logins=(Login("x", sudo=("none", "nopasswd")),)), "cannot have sudo"),
        (HostSpec("a", user="ops"), "none of its logins"),
        (HostSpec("a", sshd=("Banner none\nPort 1",)), "line break"),
    ],
)
def test_users_that_cannot_be_made_are_refused(spec: HostSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check([spec])


def test_a_shell_that_this_machine_lacks_is_named(lab_factory: LabFactory) -> None:
    with pytest.raises(SetupError, match="no /bin/none to be the shell of x"):
        lab_factory(HostSpec("a", logins=(Login("x", shell="/bin/none"),)), **LAB_KINDS["openssh"])


def test_a_spec_with_users_survives_json() -> None:
    users = (Login("a"), Login("b", keys=()), Login("c", keys=("k",), sudo=("password", "ticket"), doas="password"))
    spec = HostSpec("a", logins=users, user="b", behind="c", sshd=("MaxSessions 2",))
    assert HostSpec.from_json(spec.to_json()) == spec
