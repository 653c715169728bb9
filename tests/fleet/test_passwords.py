"""Where passwords come from: variables, commands, the system keyring and a person; and what is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked
from typing_extensions import override

from sysfleet.errors import UsageError
from sysfleet.fleet.answers import first_line
from sysfleet.fleet.passwords import Ask, Sources, children_environ
from sysfleet.settings import parse


def login(settings: str, *, environ: dict[str, str] | None = None, ask: Ask | None = None) -> str | None:
    """The login password that these settings give for ops."""
    sources = Sources.of(parse(f"[ssh]\n{settings}"), {"PATH": "/usr/bin:/bin", **(environ or {})}, ask)
    assert sources.login is not None
    return sources.login.text("ops")


def refusal(settings: str, **around: dict[str, str] | Ask | None) -> str:
    with pytest.raises(UsageError) as caught:
        login(settings, **around)  # type: ignore[arg-type]
    assert "swordfish" not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__}"
    return caught.value.message


def command(script: str) -> str:
    return f"password_command = ['sh', '-c', '{script}']"


def test_a_variable_holds_it() -> None:
    assert login('password_env = "PW"', environ={"PW": "swordfish"}) == "swordfish"


def test_a_command_prints_it_as_its_first_line_and_the_rest_is_left() -> None:
    assert login(command("echo swordfish; echo user: ops")) == "swordfish"


def test_a_command_has_no_shell_of_ours() -> None:
    assert login('password_command = ["printf", "%s", "$HOME;sword`fish"]') == "$HOME;sword`fish"


def test_a_command_is_not_given_the_secrets_of_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "swordfish")
    settings = f'{command("echo got:$PW:$SU")}\npassphrase_env = "PW"\n[privilege]\npassword_env = "SU"'
    assert login(settings, environ={"PW": "swordfish", "SU": "swordfish"}) == "got::"


def test_programs_that_a_run_starts_get_no_variable_with_a_secret() -> None:
    settings = parse('[ssh]\npassword_env = "A"\npassphrase_env = "B"\n[privilege]\npassword_env = "C"')
    assert children_environ(settings, {"A": "x", "B": "x", "C": "x", "HOME": "/root"}) == {"HOME": "/root"}


def test_a_command_that_fails_says_so_in_its_words_and_never_with_its_output() -> None:
    said = refusal(command('echo swordfish; printf "vault \\033[31mis sealed" >&2; exit 3'))
    assert said == "the command for the login password, sh, failed with status 3: vault is sealed"


def test_a_command_that_is_not_there_is_named() -> None:
    said = refusal('password_command = ["/no/such/program", "swordfish"]')
    assert said == "the command for the login password, /no/such/program, cannot be run: No such file or directory"


def test_a_command_has_its_time() -> None:
    with pytest.raises(UsageError, match=r"the command for it, sleep, is not done after 0\.2 s"):
        first_line(["sleep", "60"], {"PATH": "/usr/bin:/bin"}, "it", timeout_s=0.2)


def test_a_command_that_leaves_something_running_holds_nobody_up() -> None:
    assert login(command("echo swordfish; sleep 60 >/dev/null 2>&1 &")) == "swordfish"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (":", "is empty"),
        ("echo; echo swordfish", "is empty"),
        ('printf "sword\\000fish"', "holds a line break or another control character"),
        ('printf "sword\\377fish"', "is not UTF-8"),
        ("printf %2000d 7", "is longer than 1000 bytes"),
    ],
)
def test_what_cannot_be_a_password_is_refused(script: str, said: str) -> None:
    assert refusal(command(script)) == f"the login password from ssh.password_command {said}"


def test_a_command_without_end_of_line_is_cut_off() -> None:
    assert "prints a line without end" in refusal(command("head -c 300000 /dev/zero | tr \\\\0 x"))


@pytest.mark.parametrize("value", ["", "sword\nfish", "sword\0fish", "x" * 1001, "sword\udcfffish"])
def test_a_variable_that_holds_no_password_is_refused(value: str) -> None:
    assert refusal('password_env = "PW"', environ={"PW": value}).startswith("the login password from ssh.password_env")


def test_a_variable_that_is_not_set_is_named() -> None:
    assert refusal('password_env = "PW"') == "the environment variable PW is not set"


def test_a_person_is_asked_once_whoever_needs_it() -> None:
    asked: list[str] = []

    def ask(words: str) -> str:
        asked.append(words)
        return "swordfish"

    source = Sources.of(parse("[ssh]\npassword_prompt = true"), {}, ask).login
    assert source is not None
    assert [source.text("ops"), source.text("root")] == ["swordfish", "swordfish"]
    assert asked == ["login password: "]


def test_each_key_file_is_asked_for_by_its_name() -> None:
    source = Sources.of(parse("[ssh]\npassphrase_prompt = true"), {}, lambda words: f"for {words}").passphrase
    assert source is not None
    assert [source.text("/a"), source.text("/b")] == ["for passphrase of /a: ", "for passphrase of /b: "]


def test_without_a_person_there_is_nobody_to_ask() -> None:
    assert refusal("password_prompt = true") == "there is nobody to ask for the login password"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[ssh]\npassword_env = "A"\npassword_prompt = true',
            "the login password has more than one source: ssh.password_env, ssh.password_prompt",
        ),
        (
            '[privilege]\npassword_command = ["a"]\npassword_keyring = "b"',
            "the root password has more than one source: privilege.password_command, privilege.password_keyring",
        ),
        (
            '[ssh]\npassphrase_env = "A"\npassphrase_command = ["a"]',
            "the passphrase has more than one source: ssh.passphrase_env, ssh.passphrase_command",
        ),
    ],
)
def test_a_secret_has_one_source(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sources.of(parse(text), {}, None)
    assert caught.value.message == said
    assert "--set" in (caught.value.hint or "")


class _Ring(KeyringBackend):
    """A keyring of three entries; one of them is locked."""

    priority = 1

    @override
    def get_password(self, service: str, username: str) -> str | None:
        if username == "locked":
            raise KeyringLocked("the collection is locked")
        return {("sysfleet", "ops"): "swordfish", ("sysfleet", "two"): "a\nb"}.get((service, username))

    @override
    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(_Ring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def from_ring(whose: str) -> str | None:
    source = Sources.of(parse('[privilege]\npassword_keyring = "sysfleet"'), {}, None).root
    assert source is not None
    return source.text(whose)


@pytest.mark.usefixtures("ring")
def test_the_keyring_has_one_for_each_login_or_none() -> None:
    assert (from_ring("ops"), from_ring("root")) == ("swordfish", None)


@pytest.mark.usefixtures("ring")
@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ("locked", "the system keyring does not give the root password: the collection is locked"),
        ("two", "the root password from privilege.password_keyring holds a line break or another control character"),
    ],
)
def test_a_keyring_that_gives_no_password_says_why(whose: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_ring(whose)
    assert caught.value.message == said


@pytest.mark.usefixtures("ring")
def test_a_machine_without_a_keyring_says_so() -> None:
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    with pytest.raises(UsageError, match="this machine has none that can be used"):
        from_ring("ops")


def test_a_keyring_is_found_as_its_own_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "lab_ring.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Ring(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, username):\n"
        "        return f'{username} of {service}'\n"
        "    def set_password(self, service, username, password):\n"
        "        pass\n"
    )
    config = tmp_path / "config" / "python_keyring"
    config.mkdir(parents=True)
    (config / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring=lab_ring.Ring\nkeyring-path={tmp_path}\n")
    script = "from sysfleet.fleet.answers import from_keyring; print(from_keyring('sysfleet', 'ops', 'it'))"
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "ops of sysfleet\n"


def test_the_library_is_asked_for_only_with_a_keyring_set() -> None:
    script = (
        "import sys; from sysfleet.fleet.passwords import Sources; from sysfleet.settings import parse;"
        "s = Sources.of(parse('[ssh]\\npassword_env = \"A\"'), {'A': 'b'}, None).login.text('ops');"
        "sys.exit('keyring' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_no_representation_shows_a_secret() -> None:
    sources = Sources.of(parse('[ssh]\npassword_env = "PW"'), {"PW": "swordfish"}, None)
    assert sources.login is not None
    sources.login.text("ops")
    assert "swordfish" not in repr(sources)
