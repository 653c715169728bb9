"""Which files each loader reads at boot, and in which order.

Knows folders, suffixes and masks; never looks inside a file. kernel.md 6.3; sysctl.d(5); sysctl(8); the init
scripts of Alpine and of OpenRC (these two known from their source only).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from sysfleet.sysctl.versions import Loader, habits_of

MAIN_FILE = "/etc/sysctl.conf"
FOLDERS = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
_RUN_FIRST = ("/run/sysctl.d", "/etc/sysctl.d", *FOLDERS[2:])


class SourceFile(msgspec.Struct, frozen=True):
    """One file that a loader may read: no content is unreadable or dangling; `link` is a link's text."""

    path: str
    content: bytes | None
    link: str | None = None

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path without its last component."""
        return self.path.rpartition("/")[0]

    @property
    def is_mask(self) -> bool:
        """Whether it only hides files of its name: empty, dangling, or a link to the null device."""
        if self.link is not None and (self.content is None or self.link.endswith("/dev/null")):
            return True
        return self.content == b""


def knows_globs(loader: Loader, version: str = "") -> bool:
    """Whether this version of the loader expands patterns and honours exclusions."""
    return habits_of(loader, version).globs


def load_order(loader: Loader, files: Iterable[SourceFile], version: str = "") -> tuple[SourceFile, ...]:
    """The files that this version of the loader reads, in its order; masks and what they hide are left out."""
    found = [file for file in files if file.path == MAIN_FILE or _in_folder(file)]
    if habits_of(loader, version).run_before_etc:
        ordered = _procps(found, _RUN_FIRST)
    else:
        ordered = _ORDERS[loader](found)
    return tuple(file for file in ordered if not file.is_mask)


def _in_folder(file: SourceFile) -> bool:
    return file.path.endswith(".conf") and file.folder in FOLDERS


def _by_name(file: SourceFile) -> bytes:
    return file.name.encode("utf-8", "surrogateescape")


def _first_of_each_name(files: Iterable[SourceFile], folders: tuple[str, ...] = FOLDERS) -> list[SourceFile]:
    chosen: dict[str, SourceFile] = {}
    for file in sorted(files, key=lambda one: folders.index(one.folder)):
        chosen.setdefault(file.name, file)
    return sorted(chosen.values(), key=_by_name)


def _systemd(files: Sequence[SourceFile]) -> list[SourceFile]:
    return _first_of_each_name(file for file in files if file.path != MAIN_FILE and not file.name.startswith("."))


def _procps(files: Sequence[SourceFile], folders: tuple[str, ...] = FOLDERS) -> list[SourceFile]:
    drop_ins = _first_of_each_name((file for file in files if file.path != MAIN_FILE), folders)
    return drop_ins + _main(files)


def _alpine(files: Sequence[SourceFile]) -> list[SourceFile]:
    # The script asks `test -f`, so a link to the null device neither is read nor hides anything.
    regular = [file for file in files if not _is_special(file)]
    in_run = {file.name for file in regular if file.folder == "/run/sysctl.d"}
    in_etc = {file.name for file in regular if file.folder == "/etc/sysctl.d"}
    vendor = [*_listed(regular, "/lib/sysctl.d"), *_listed(regular, "/usr/lib/sysctl.d")]
    return [
        *(file for file in vendor if file.name not in in_run | in_etc),
        *(file for file in _listed(regular, "/etc/sysctl.d") if file.name not in in_run),
        *_main(regular),
        *_listed(regular, "/run/sysctl.d"),
    ]


def _openrc(files: Sequence[SourceFile]) -> list[SourceFile]:
    # Without the main file the script does nothing at all.
    main = _main([file for file in files if file.link is None or file.content is not None])
    return main and main + _listed(files, "/etc/sysctl.d")


def _none(_files: Sequence[SourceFile]) -> list[SourceFile]:
    return []


def _main(files: Iterable[SourceFile]) -> list[SourceFile]:
    return [file for file in files if file.path == MAIN_FILE]


def _listed(files: Iterable[SourceFile], folder: str) -> list[SourceFile]:
    # A shell's glob skips hidden names.
    visible = (file for file in files if file.folder == folder and not file.name.startswith("."))
    return sorted(visible, key=_by_name)


def _is_special(file: SourceFile) -> bool:
    return file.link is not None and (file.content is None or file.link.endswith("/dev/null"))


_ORDERS: dict[Loader, Callable[[Sequence[SourceFile]], list[SourceFile]]] = {
    Loader.SYSTEMD: _systemd,
    Loader.PROCPS: _procps,
    Loader.ALPINE: _alpine,
    Loader.OPENRC: _openrc,
    Loader.UNKNOWN: _none,
}
