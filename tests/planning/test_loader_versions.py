"""That a plan asks for the version of the host's loader, and does not promise what that version leaves open."""

from sysfleet.planning.plan import make_plan
from sysfleet.planning.records import Options
from sysfleet.sysctl.loaders import Loader
from tests.planning.cases import OURS, conf, policy, reading, wanted

_OPTIONS = Options(path=OURS)
_REDIRECTS = "net.ipv4.conf.all.accept_redirects"


def test_a_glob_is_no_line_for_a_loader_whose_version_knows_none() -> None:
    rules = policy(wanted("net.ipv4.conf.e*.rp_filter", "1"))
    values = conf("ipv4", "rp_filter", all="0", eth0="0")
    present = make_plan(rules, reading(values, loader_version="252"), _OPTIONS)
    old = make_plan(rules, reading(values, loader_version="241"), _OPTIONS)
    assert b"e*.rp_filter" in (present.file.after or b"")
    assert b"e*.rp_filter" not in (old.file.after or b"")
    assert any("knows no globs" in refusal for refusal in old.refusals)


def test_what_a_loader_without_an_order_leaves_of_a_moved_key_is_not_known() -> None:
    ours = f"net.ipv4.ip_forward = 1\n{_REDIRECTS} = 1\n"
    rules = policy(wanted("net.ipv4.ip_forward", "1"), wanted(_REDIRECTS, "1"))
    values = {"net.ipv4.ip_forward": "1", _REDIRECTS: "1"}
    unknown = {
        version: [
            setting.at_boot_unknown
            for setting in make_plan(
                rules, reading(values, {OURS: ours}, loader=Loader.SYSTEMD, loader_version=version), _OPTIONS
            ).settings
        ]
        for version in ("219", "252")
    }
    assert unknown == {"219": [None, "loader_version"], "252": [None, None]}
