"""No secret is anywhere but where it was put: searched for in all that the program shows, writes, starts and sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.plugins.connections import CONNECTIONS
from tests.support.lab import make_lab
from tests.support.needs import needs
from tests.support.secrets import Done, Search, Secret, Tree, Watch, watched

NAMES = ("login", "group", "defaults", "extras", "options", "root", "passphrase", "wrong")
KERNEL = (Secret.stable_secret(), Secret.fastopen_key())
SECRETS: Mapping[str, Secret] = {name: Secret.password(name) for name in NAMES}

# Stands in for sudo: wants a password, and repeats it; `echo1` seems to take it and repeats it as the program's words.
_FALSE_SUDO = """\
sh() {
    echo sysfleet-asks
    case "$*" in
    *" -S "*) ;;
    *) echo "sudo: a password is required" >&2; return 1 ;;
    esac
    printf 'sysfleet%%secret:' >&2
    IFS= read -r line
"""
REPEATS = {
    "false1": """\
    echo "got $line"
    echo "sudo: $line is wrong" >&2
    return 1
}
""",
    "echo1": """\
    echo sysfleet-ready
    IFS= read -r mark
    printf '\\n%s begin\\nthis is %s\\n' "${mark#*:}" "$line"
    echo "this too is $line" >&2
    return 1
}
""",
}
TEMPLATES = {"base.conf.j2": "net.ipv4.tcp_rfc1337 = 1\n", "web.conf.j2": ""}
GROUPS = {name: {"data": {"roles": ["web"]}} for name in ("web", "grouped")}


@dataclass
class Place:
    """The lab, its project, and where a run may leave something."""

    lab: Lab
    scratch: Path
    trees: dict[str, Tree] = field(default_factory=dict)

    def take_down(self) -> Mapping[str, Tree]:
        """Every place as it is now."""
        folder = self.lab.folder
        self.trees = {
            "project": Tree(folder, ("hosts", "lab.json")),
            "home": Tree(self.scratch),
            "hosts": Tree(folder / "hosts"),
        }
        for host in self.lab.hosts.values():
            process = host.process
            assert process is not None
            for part in ("tmp", "run", "var", "home", "dev/shm"):
                self.trees[f"{host.name}:/{part}"] = Tree(Path(f"/proc/{process.pid}/root") / part)
        return self.trees


HOSTS = (
    HostSpec(
        "key1",
        groups=("web",),
        values={
            "net.ipv6.conf.eth0.stable_secret": KERNEL[0].text,
            "net.ipv4.tcp_fastopen_key": KERNEL[1].text,
        },
    ),
    HostSpec(
        "login1",
        groups=("web",),
        logins=(Login("ops", password=SECRETS["login"].text, keys=(), sudo=("nopasswd",)),),
        user="ops",
    ),
    HostSpec(
        "login2",
        groups=("grouped",),
        logins=(Login("ops", password=SECRETS["group"].text, keys=(), sudo=("nopasswd",)),),
        user="ops",
    ),
    HostSpec(
        "sudo1",
        groups=("web",),
        logins=(Login("ops", password=SECRETS["root"].text, sudo=("password",)),),
        user="ops",
    ),
    *(
        HostSpec(
            name,
            groups=("web",),
            logins=(Login("ops", shell="/bin/bash", password=SECRETS["root"].text, sudo=("password",)),),
            user="ops",
            files={"/home/ops/.bashrc": (_FALSE_SUDO + rest).encode()},
        )
        for name, rest in REPEATS.items()
    ),
)
PASSWORDS: Mapping[str, Mapping[str, Any]] = {
    "login1": {"password": SECRETS["login"].text},
    "key1": {
        "connection_options": {
            "sysfleet.paramiko": {
                "password": SECRETS["options"].text,
                "extras": {"passphrase": SECRETS["extras"].text, "deep": [SECRETS["extras"].text]},
            }
        }
    },
}
SETTINGS = """\
[ssh]
identity_files = ["encrypted"]
known_hosts = ["known_hosts"]
passphrase_env = "FLEET_P"
[privilege]
password_env = "FLEET_R"
[run]
deadline_s = 15
"""
SUDO = ("--set", "privilege.method=sudo")
OWN = {"FLEET_P": SECRETS["passphrase"].text, "FLEET_R": SECRETS["root"].text}

# The program with a bug: it breaks when all is known, and says what its records look like.
BROKEN = """
import sys
from sysfleet.cli import main, results
from sysfleet.fleet import Fleet

def broken(report, options, terminal, below=None):
    project = Fleet(options.project, environ=terminal.environ).project
    records = [project, project.sources, project.inventory, project.shared(["key1", "login1"], root=True), report]
    raise RuntimeError(f"{records!r} {options!r}")

results.show_report = broken
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A lab of hosts that want passwords, and of some that tell; its project holds a secret wherever one can be."""
    needs("sudo")
    folder = tmp_path_factory.mktemp("secrets")
    lab = make_lab(folder / "lab", list(HOSTS), mode="namespaces", backend="openssh")
    try:
        _write_project(lab, PASSWORDS)
        yield Place(lab, folder)
    finally:
        lab.down()


def _write_project(lab: Lab, passwords: Mapping[str, Mapping[str, Any]]) -> None:
    written = {
        spec.name: {
            "hostname": "127.0.0.1",
            "port": lab.hosts[spec.name].port,
            "username": spec.user,
            "groups": list(spec.groups),
            **passwords.get(spec.name, {}),
        }
        for spec in HOSTS
    }
    groups = {**GROUPS, "grouped": {**GROUPS["grouped"], "password": SECRETS["group"].text}}
    defaults = {"username": "root", "password": SECRETS["defaults"].text}
    for name, entries in (("hosts", written), ("groups", groups), ("defaults", defaults)):
        (lab.folder / "inventory" / f"{name}.yaml").write_text(json.dumps(entries))
    (lab.folder / "templates").mkdir(exist_ok=True)
    for name, text in TEMPLATES.items():
        (lab.folder / "templates" / name).write_text(text)
    (lab.folder / "sysfleet.toml").write_text(SETTINGS)
    encrypted = lab.folder / "encrypted"
    encrypted.unlink(missing_ok=True)
    encrypted.write_bytes(lab.client_key.read_bytes())
    encrypted.chmod(0o600)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", SECRETS["passphrase"].text, "-f", str(encrypted)]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def scratch(place: Place, tmp_path: Path) -> Place:
    """The lab with a home and a folder for temporary files of the test's own, and all places taken down."""
    one = replace(place, scratch=tmp_path)
    one.take_down()
    return one


def environ(place: Place) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOME": str(place.scratch),
        "TMPDIR": str(place.scratch),
        "USER": "op",
        "TERM": "dumb",
    }


def searching() -> Search:
    return Search([*SECRETS.values(), *KERNEL])


def sysfleet(place: Place, search: Search, *words: str, own: Mapping[str, str] = OWN) -> Done:
    argv = [sys.executable, "-m", "sysfleet", "--project", str(place.lab.folder), *words]
    return watched(argv, search, environ=environ(place), own=own, trees=place.trees)


def rows(done: Done) -> dict[str, str]:
    return {row["host"]: row["status"] for row in json.loads(done.out)["hosts"]}


# ---- the program ----


def test_nothing_shows_when_all_goes_well(scratch: Place) -> None:
    search = searching()
    good = ("--limit", "key1 | login1 | login2 | sudo1")
    sysfleet(scratch, search, "check", *good).gives(ExitCode.DRIFT)
    sysfleet(scratch, search, "plan", "-v", *good).gives(ExitCode.DRIFT)
    applied = sysfleet(scratch, search, "apply", "--yes", "-v", "--format", "json", *good).gives(ExitCode.OK)
    assert rows(applied)["sudo1"] == "changed"
    sysfleet(scratch, search, "render", "sudo1").gives(ExitCode.OK)
    checked = sysfleet(scratch, search, "check", "--format", "json", *good).gives(ExitCode.OK)
    assert set(rows(checked).values()) == {"ok"}
    assert search.found == set()
    assert any(place.startswith("project/.sysfleet/runs/") for place in search.looked_at)
    assert any(place.startswith("command line of sudo") for place in search.looked_at)


def test_nothing_shows_when_passwords_are_wrong(scratch: Place) -> None:
    search = searching()
    wrong = {"FLEET_P": SECRETS["passphrase"].text, "FLEET_R": SECRETS["wrong"].text}
    denied = sysfleet(scratch, search, "check", "--format", "json", "--limit", "sudo1", *SUDO, own=wrong)
    assert rows(denied.gives(ExitCode.HOST_FAILED)) == {"sudo1": "denied"}
    text = json.dumps(SECRETS["wrong"].text)
    inventory = scratch.lab.folder / "inventory" / "hosts.yaml"
    before = inventory.read_text()
    try:
        inventory.write_text(before.replace(json.dumps(SECRETS["login"].text), text))
        scratch.take_down()
        rejected = sysfleet(scratch, search, "check", "--format", "json", "-v", "--limit", "login1")
        assert rows(rejected.gives(ExitCode.HOST_FAILED)) == {"login1": "rejected"}
    finally:
        inventory.write_text(before)
    scratch.take_down()
    locked = {"FLEET_P": SECRETS["wrong"].text, "FLEET_R": SECRETS["root"].text}
    assert sysfleet(scratch, search, "check", "--limit", "key1", own=locked).code != ExitCode.OK
    assert search.found == set()


@pytest.mark.parametrize(("host", "repeats"), [("echo1", "this is ***"), ("false1", "*** is wrong")])
def test_nothing_shows_when_a_host_repeats_what_it_is_told(scratch: Place, host: str, repeats: str) -> None:
    search = searching()
    words = ("--limit", host, "--set", "privilege.method=sudo", "--deadline", "6")
    told = sysfleet(scratch, search, "check", "--format", "json", *words)
    assert repeats in json.loads(told.out)["hosts"][0]["error"]["message"], told.out
    sysfleet(scratch, search, "apply", "--yes", "-v", *words)
    sysfleet(scratch, search, "render", host, *words[2:4])
    assert search.found == set(), told


@pytest.mark.parametrize("kind", sorted(set(CONNECTIONS) - {"paramiko"}))
def test_nothing_shows_over_another_kind_of_connection(scratch: Place, kind: str) -> None:
    """Whether it gets in with a password or not; one that takes none says so before it begins."""
    search = searching()
    hosts = {"key1", "login1", "login2", "sudo1"}
    words = ("--set", f"ssh.connection={kind}", "--limit", " | ".join(sorted(hosts)))
    done = sysfleet(scratch, search, "check", "--format", "json", *words)
    assert done.code == ExitCode.USAGE or set(rows(done)) == hosts, done
    sysfleet(scratch, search, "check", "-v", *words, *SUDO, own={**OWN, "FLEET_R": SECRETS["wrong"].text})
    assert search.found == set()


@pytest.mark.parametrize(
    ("secret", "setting", "host"),
    [("root", "privilege.password", "sudo1"), ("passphrase", "ssh.passphrase", "key1")],
)
def test_nothing_shows_when_a_password_comes_from_a_command(
    scratch: Place, secret: str, setting: str, host: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The command is given none of the others, nor is anything that is started here: it writes down what it has."""
    search = searching()
    script = tmp_path_factory.mktemp("command") / "script"
    script.write_text(f'env >"$HOME/environment"\ncat {script}.secret\n')
    script.with_name("script.secret").write_text(f"{SECRETS[secret].text}\n")
    own = {name: text for name, text in OWN.items() if text != SECRETS[secret].text}
    words = (
        "--set",
        f"{setting}_env=",
        "--set",
        f'{setting}_command=["sh", "{script}"]',
        *SUDO[: 2 * (host != "key1")],
    )
    done = sysfleet(scratch, search, "check", "--format", "json", "--limit", host, *words, own=own)
    assert rows(done)[host] in {"ok", "drifted"}, done
    assert (scratch.scratch / "environment").read_text()
    assert search.found == set()


def test_nothing_shows_when_sysfleet_itself_breaks(scratch: Place) -> None:
    search = searching()
    argv = [sys.executable, "-c", BROKEN, "--project", str(scratch.lab.folder), "check", "--limit", "key1"]
    done = watched(argv, search, environ=environ(scratch), own=OWN, trees=scratch.trees).gives(ExitCode.BUG)
    (report,) = scratch.scratch.glob("sysfleet-bug-*.txt")
    assert "RuntimeError" in report.read_text()
    assert str(report) in done.err.decode()
    assert search.found == set()


def test_secrets_of_the_kernel_are_not_told(scratch: Place) -> None:
    """A policy that names them reads them, as root; what it finds is nobody's business."""
    search = searching()
    base = scratch.lab.folder / "templates" / "base.conf.j2"
    base.write_text(
        f"{TEMPLATES['base.conf.j2']}net.ipv6.conf.eth0.addr_gen_mode = 0\n"
        "net.ipv4.tcp_fastopen_key = 00000000-00000000-00000000-00000001\n"
        "net.ipv6.conf.eth0.stable_secret = 2001:db8::1\n"
    )
    try:
        scratch.take_down()
        told = sysfleet(scratch, search, "check", "--format", "json", "--limit", "key1").gives(ExitCode.DRIFT)
        found = {one["key"]: one["running"] for one in json.loads(told.out)["hosts"][0]["settings"]}
        assert found["net.ipv4.tcp_fastopen_key"] == "***"
        sysfleet(scratch, search, "plan", "--limit", "key1").gives(ExitCode.DRIFT)
        sysfleet(scratch, search, "render", "key1").gives(ExitCode.OK)
        apply = ("apply", "--yes", "-v", "--limit", "key1", "--allow-one-way", "--allow-destructive")
        put_back = sysfleet(scratch, search, *apply).gives(ExitCode.HOST_FAILED)
        assert b"never read back" in put_back.out
        base.write_text(base.read_text().rpartition("net.ipv6.conf.eth0.stable")[0])
        sysfleet(scratch, search, *apply).gives(ExitCode.OK)
    finally:
        base.write_text(TEMPLATES["base.conf.j2"])
    assert search.found == set()


# ---- the search ----

_WAIT = "import sys; sys.stdin.read()"
_SPAWN = "import subprocess; subprocess.run({}, env={}, stdin=sys.stdin)"


def _planted(secret: str, place: Place) -> dict[str, tuple[str, str]]:
    """For each place a program that leaves the secret there, and how the search names the place."""
    quoted, folder = repr(secret), place.lab.folder
    child = f"[sys.executable, '-c', {_WAIT!r}"

    def write(path: Path) -> str:
        return f"import pathlib; p = pathlib.Path({str(path)!r}); p.parent.mkdir(exist_ok=True); p.write_text({quoted})"

    return {
        "standard output": (f"print({quoted})", "standard output"),
        "standard error": (f"print({quoted}, file=sys.stderr)", "standard error"),
        "json": (f"import json; print(json.dumps({quoted}))", "standard output"),
        "argv": (_SPAWN.format(f"{child}, {quoted}]", "dict(os.environ)"), "command line of "),
        "environment": (_SPAWN.format(f"{child}]", f"{{**os.environ, 'X': {quoted}}}"), "environment of "),
        "inherited": (_SPAWN.format(f"{child}]", "dict(os.environ)"), "environment of "),
        "journal": (write(folder / ".sysfleet" / "runs" / "x.jsonl"), "project/.sysfleet/runs/x.jsonl"),
        "known_hosts": (write(folder / "known_hosts.new"), "project/known_hosts.new"),
        "file name": (write(folder / ".sysfleet" / secret.replace("/", "")), "project"),
        "bug report": (write(place.scratch / "sysfleet-bug-x.txt"), "home/sysfleet-bug-x.txt"),
        "host's file": (write(place.lab.hosts["key1"].etc / "sysctl.d" / "x"), "hosts/key1/root/etc/sysctl.d/x"),
        "host's log": (write(place.lab.folder / "hosts" / "key1" / "log.1"), "hosts/key1/log.1"),
    }


PLACES = (
    *("standard output", "standard error", "json", "argv", "environment", "inherited", "journal", "known_hosts"),
    *("file name", "bug report", "host's file", "host's log"),
)


@pytest.mark.parametrize("where", PLACES)
def test_the_search_finds_what_is_planted(scratch: Place, where: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = Secret.password("planted")
    program, named = _planted(secret.text, scratch)[where]
    search = Search([secret])
    own = {"FLEET_X": secret.text} if where == "inherited" else {}

    def look(watch: Watch, _process: subprocess.Popen[bytes]) -> None:
        if where in {"argv", "environment", "inherited"}:
            _until(watch, lambda: bool(search.found))

    script = tmp_path_factory.mktemp("planted") / "program.py"
    script.write_text(f"import os, sys\n{program}\n")
    watched(
        [sys.executable, str(script)],
        search,
        environ=environ(scratch),
        own=own,
        trees=scratch.trees,
        during=look,
    ).gives(0)
    assert {found.secret for found in search.found} == {"planted"}
    assert all(found.place.startswith(named) for found in search.found), search.found


@pytest.mark.parametrize("where", ["command line of ", "environment of ", "key1:/tmp", "key1:/run"])
def test_the_search_finds_what_is_planted_on_a_host(scratch: Place, where: str) -> None:
    secret = Secret.password("planted")
    search = Search([secret])
    host = scratch.lab.hosts["key1"]
    watch = Watch(search, {})
    watch.start()
    words = {"command line of ": ["cat", "/proc/self/status", secret.text], "environment of ": ["cat"]}
    try:
        if where.startswith("key1"):
            path = f"{where.partition(':')[2]}/planted"
            host.run(["tee", path], input=secret.text.encode())
        else:
            init = host.process
            assert init is not None
            with subprocess.Popen(
                [
                    "nsenter",
                    f"--target={init.pid}",
                    "--user",
                    "--pid",
                    "--mount",
                    "sh",
                    "-c",
                    "read line",
                    *words[where],
                ],
                env={"X": secret.text} if where == "environment of " else {},
                stdin=subprocess.PIPE,
            ) as process:
                _until(watch, lambda: bool(search.found))
                process.communicate(b"\n")
    finally:
        watch.stop()
    for name, tree in scratch.trees.items():
        search.look_below(name, tree)
    assert search.found
    assert all(found.place.startswith(where) for found in search.found), search.found


def _until(watch: Watch, seen: Callable[[], bool]) -> None:
    for _ in range(200):
        if seen():
            return
        watch.look_round()
    pytest.fail("nothing was seen")


@pytest.mark.parametrize(
    "said",
    [
        lambda text: text,
        json.dumps,
        repr,
        lambda text: text.encode().hex(),
        lambda text: __import__("base64").b64encode(f"a{text}".encode()).decode(),
        lambda text: __import__("base64").urlsafe_b64encode(f"ab{text}z".encode()).decode(),
        lambda text: __import__("urllib.parse").parse.quote(text, safe=""),
        lambda text: __import__("shlex").quote(text),
        lambda text: text[:22],
        lambda text: f"{text[:18]}\n{text[18:]}",
    ],
)
def test_no_form_hides_a_secret(said: Callable[[str], str]) -> None:
    secret = Secret.password("hidden")
    search = Search([secret, Secret.password("another")])
    search.look("here", f"before {said(secret.text)} after".encode())
    assert {(found.secret, found.place) for found in search.found} == {("hidden", "here")}
    empty = Search([secret])
    empty.look("here", said(Secret.password("other").text).encode())
    assert empty.found == set()
