"""The project folder that a lab leaves: a stranger could use it at once."""

import stat
import tomllib
from pathlib import Path

import yaml

from sysfleet.lab import HostSpec, Lab
from tests.support.lab import LabFactory, ssh


def test_the_inventory_names_every_host_with_port_and_groups(lab: Lab) -> None:
    hosts = yaml.safe_load((lab.folder / "inventory/hosts.yaml").read_text(encoding="utf-8"))
    assert hosts == {
        name: {"hostname": "127.0.0.1", "port": host.port, "groups": list(host.spec.groups)}
        for name, host in lab.hosts.items()
    }


def test_every_group_of_a_host_has_its_role(lab: Lab) -> None:
    groups = yaml.safe_load((lab.folder / "inventory/groups.yaml").read_text(encoding="utf-8"))
    assert groups == {name: {"data": {"roles": [name]}} for name in ("bastion", "db", "router", "web")}
    defaults = yaml.safe_load((lab.folder / "inventory/defaults.yaml").read_text(encoding="utf-8"))
    assert defaults == {"username": "root"}


def test_settings_name_a_key_for_its_owner_alone_and_the_known_hosts(lab: Lab) -> None:
    settings = tomllib.loads((lab.folder / "sysfleet.toml").read_text(encoding="utf-8"))["ssh"]
    (key,) = settings["identity_files"]
    assert stat.S_IMODE((lab.folder / key).stat().st_mode) == 0o600
    (known,) = settings["known_hosts"]
    lines = (lab.folder / known).read_text(encoding="utf-8").splitlines()
    assert lines == [f"[127.0.0.1]:{host.port} {host.host_key}" for host in lab.hosts.values()]
    assert ssh(lab, "web1", "true").status == 0


def test_templates_and_data_come_along(lab_factory: LabFactory, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "web.conf.j2").write_text("net.ipv4.tcp_rfc1337 = 1\n", encoding="utf-8")
    override = {"net.ipv4.ip_forward": {"value": 1, "reason": "routes, truly"}}
    lab = lab_factory(
        HostSpec("a", groups=("web",), data={"site": "ams"}),
        templates=templates,
        group_data={"web": {"sysctl": override}, "site": {"roles": []}},
    )
    assert (lab.folder / "templates/web.conf.j2").read_text(encoding="utf-8") == "net.ipv4.tcp_rfc1337 = 1\n"
    groups = yaml.safe_load((lab.folder / "inventory/groups.yaml").read_text(encoding="utf-8"))
    assert groups == {"site": {"data": {"roles": []}}, "web": {"data": {"roles": ["web"], "sysctl": override}}}
    hosts = yaml.safe_load((lab.folder / "inventory/hosts.yaml").read_text(encoding="utf-8"))
    assert hosts["a"]["data"] == {"site": "ams"}
