"""What sysfleet says of the next boot, against what a real boot of a real machine leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from sysfleet.fleet import Fleet, Risks
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from sysfleet.sysctl.key import Key, is_glob, key_from_path, matches
from sysfleet.sysctl.value import same
from tests.support.machine import COMMAND_LINE, Machine

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

# Beyond the sample's base: settings of the kernel as a whole, which no namespace shows.
STRICT = """\
kernel.core_uses_pid = 1
{{ setting("kernel.kptr_restrict", 2) }}
kernel.panic = 10
kernel.panic_on_oops = 1
kernel.perf_event_paranoid = 3
kernel.pid_max = 262144
kernel.sched_autogroup_enabled = 0
kernel.sysrq = 0
kernel.unprivileged_bpf_disabled = 1
{{ setting("kernel.yama.ptrace_scope", 2) }}
dev.tty.ldisc_autoload = 0
fs.aio-max-nr = 1048576
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 524288
fs.protected_fifos = 2
fs.protected_regular = 2
fs.suid_dumpable = 0
{{ setting("user.max_user_namespaces", at_most=1000) }}
vm.dirty_background_ratio = 5
vm.max_map_count = 1048576
vm.mmap_min_addr = 65536
vm.mmap_rnd_bits = 32
vm.mmap_rnd_compat_bits = 16
vm.overcommit_memory = 1
{{ setting("vm.stat_interval", at_least=5) }}
vm.swappiness = 1
vm.unprivileged_userfaultfd = 0
net.core.bpf_jit_harden = 2
net.ipv4.tcp_rmem = 4096 87380 6291456
net.ipv4.ip_local_reserved_ports = 8080,30000-32767
net.bridge.bridge-nf-call-iptables = 0
net.bridge.bridge-nf-call-ip6tables = 0
"""

# Files that others left on the host: each is undone by ours, equal to it, or has no part in a boot.
OTHERS = {
    "/etc/sysctl.conf": ["kernel.sysrq = 1", "vm.swappiness=30", "net.ipv4.conf.all.log_martians = 0"],
    "/etc/sysctl.d/10-local.conf": [
        "kernel.panic = 0x1e",
        "net.ipv4.ip_forward = 1",
        "fs.suid_dumpable = 2",
        "vm.dirty_bytes = 0",
    ],
    "/etc/sysctl.d/99-zy-last.conf": [
        "kernel/panic_on_oops = 0",
        "kernel.panic = 31",
        "-no.such.key = 1",
        "net.ipv4.conf.e*.send_redirects = 1",
    ],
    "/etc/sysctl.d/50-pid-max.conf": ["kernel.pid_max = 99999"],  # hides the vendor's file of this name
    "/usr/lib/sysctl.d/50-vendor.conf": [
        "kernel.core_uses_pid = 0",
        "net.ipv4.conf.*.rp_filter = 2",
        "vm.max_map_count = 99999999",
    ],
    "/etc/modules-load.d/bridges.conf": ["br_netfilter"],
}


def test_every_value_predicted_for_the_next_boot_is_there_after_it(machine: Machine, tmp_path: Path) -> None:
    machine.write({path: "\n".join([*lines, ""]) for path, lines in OTHERS.items()})
    machine.run("modprobe", "br_netfilter")
    fleet = fleet_of(machine, tmp_path / "project")

    before = row_of(fleet.check())
    machine.reboot()
    assert predicted(before, known_at_least=20) == truth(machine, predicted(before))

    changed = row_of(fleet.apply())
    assert changed.status is Status.CHANGED, changed
    machine.reboot()
    assert predicted(changed, known_at_least=60) == truth(machine, predicted(changed))

    after = row_of(fleet.check())
    assert after.status is Status.OK, after
    assert predicted(after) == truth(machine, predicted(after))
    assert machine.values()["vm/stat_interval"] == COMMAND_LINE["sysctl.vm.stat_interval"]


def fleet_of(machine: Machine, folder: Path) -> Fleet:
    """The sample project with a role more and this machine as its only host."""
    shutil.copytree(sample_folder("templates"), folder / "templates")
    (folder / "templates" / "strict.conf.j2").write_text(STRICT)
    (folder / "inventory").mkdir()
    host = {"hostname": "127.0.0.1", "port": machine.port, "username": "root", "groups": ["strict"]}
    inventory = {"hosts": {"machine": host}, "groups": {"strict": {"data": {"roles": ["strict"]}}}, "defaults": {}}
    for name, entries in inventory.items():
        (folder / "inventory" / f"{name}.yaml").write_text(json.dumps(entries))
    ssh = {"identity_files": machine.image.key, "known_hosts": machine.known_hosts}
    lines = ["[ssh]", *(f"{name} = [{json.dumps(str(path))}]" for name, path in ssh.items())]
    # Under emulation a login takes seconds, and a fleet's other hosts wait for nobody here.
    settings = override(parse("\n".join(lines)), ["ssh.connect_timeout_s=60", "run.deadline_s=300"])
    return Fleet(folder, settings, environ={"HOME": "/nonexistent", "USER": "nobody"}, risks=Risks(one_way=True))


def row_of(report: FleetReport) -> HostOutcome:
    (row,) = report.hosts
    return row


def predicted(row: HostOutcome, *, known_at_least: int = 1) -> dict[str, str]:
    """The values that the row knows of the next boot; a glob's value stands for each of its interfaces."""
    found = {setting.key: setting.at_boot for setting in row.settings if setting.at_boot is not None}
    assert len(found) >= known_at_least, row
    return found


def truth(machine: Machine, expected: Mapping[str, str]) -> dict[str, str]:
    """What the kernel has now for each of these; one that is as expected in another form counts as expected."""
    values = {key_from_path(path): text for path, text in machine.values().items()}
    found: dict[str, str] = {}
    for name, text in expected.items():
        pattern = Key(name)
        for key in [key for key in values if matches(pattern, key)] if is_glob(pattern) else [pattern]:
            found[name] = text if same(key, text, values.get(key, "")) else f"{key}: {values.get(key)}"
            if found[name] != text:
                break
    return found
