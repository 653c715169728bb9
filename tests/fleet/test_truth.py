"""What `check --format json` says of a host where much is wrong at once: each with verdict, file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import HostSpec, Lab
from sysfleet.sample import sample_folder
from tests.cli.conftest import Shell
from tests.support.lab import make_lab

ROUTE = "net.ipv4.conf.all.accept_source_route"
REDIRECTS = "net.ipv6.conf.all.accept_redirects"
LOGS = "net.ipv4.conf.all.log_martians"
NO_KEY = "net.ipv6.ip_forward"
HOST = HostSpec(
    "web1",
    groups=("web",),
    interfaces=2,
    loader="procps",
    data={"sysctl": {NO_KEY: 0, LOGS: 1, "net.ipv4.tcp_fin_timeout": 30}},
    values={"net.ipv6.conf.eth1.accept_redirects": "1", REDIRECTS: "0"},
    files={
        "/run/sysctl.d/99-zzz-rival.conf": b"# a rival\nnet.ipv4.conf.all.accept_source_route = 1\n",
        "/etc/sysctl.conf": b"# undoes\n\nnet.ipv4.conf.all.log_martians = 0\n",
    },
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("truth")
    with make_lab(folder / "lab", [HOST], mode="namespaces", templates=sample_folder("templates")) as lab:
        yield _checked(lab, folder)


def _checked(lab: Lab, folder: Path) -> dict[str, dict[str, Any]]:
    ended = Shell(folder)("--project", lab.folder, "check", "--format", "json").gives(ExitCode.HOST_FAILED)
    (row,) = json.loads(ended.out)["hosts"]
    assert row["status"] == "blocked"
    assert NO_KEY in row["error"]["message"]
    return {setting["key"]: setting for setting in row["settings"]}


def test_a_rival_in_run_is_named_with_its_line(settings: dict[str, dict[str, Any]]) -> None:
    route = settings[ROUTE]
    assert route["verdict"] == "shadowed"
    assert route["boot_winner"] == {"file": "/run/sysctl.d/99-zzz-rival.conf", "line": 2}
    assert (route["wanted"], route["at_boot"]) == ("0", "1")


def test_a_main_file_that_undoes_a_key_is_named_with_its_line(settings: dict[str, dict[str, Any]]) -> None:
    logs = settings[LOGS]
    assert logs["verdict"] == "shadowed"
    assert logs["boot_winner"] == {"file": "/etc/sysctl.conf", "line": 3}
    assert logs["at_boot"] == "0"


def test_an_interface_that_does_not_obey_is_named_with_its_value(settings: dict[str, dict[str, Any]]) -> None:
    redirects = settings[REDIRECTS]
    assert "ineffective" in (redirects["verdict"], *redirects["notes"])
    assert redirects["interfaces"]["eth1"] == "1"
    assert redirects["origin"]["file"] == "templates/base.conf.j2"


def test_a_key_that_does_not_exist_is_named_with_the_one_that_was_meant(settings: dict[str, dict[str, Any]]) -> None:
    missing = settings[NO_KEY]
    assert missing["verdict"] == "missing"
    assert "net.ipv6.conf.all.forwarding" in missing["why"]
    assert missing["origin"]["file"] == "inventory/hosts.yaml"
    assert missing["origin"]["line"] > 1


def test_what_is_as_it_should_be_says_so(settings: dict[str, dict[str, Any]]) -> None:
    assert settings["net.ipv4.tcp_syncookies"]["running"] == "1"
