"""A fleet on this machine: real SSH servers on loopback, each host in namespaces of its own.

Stands beside the rest of sysfleet: it knows errors only, and how sysfleet reads a host only from the outside.
"""

from sysfleet.lab.faults.hosts import faulty_hosts
from sysfleet.lab.faults.names import Fault
from sysfleet.lab.handle import Lab
from sysfleet.lab.labhost import HostStatus, LabHost
from sysfleet.lab.spec import Backend, HostSpec, Loader, Login, Mode
from sysfleet.lab.standard import mixed_hosts, standard_hosts

__all__ = [
    "Backend",
    "Fault",
    "HostSpec",
    "HostStatus",
    "Lab",
    "LabHost",
    "Loader",
    "Login",
    "Mode",
    "faulty_hosts",
    "mixed_hosts",
    "standard_hosts",
]
