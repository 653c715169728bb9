"""What `make package` built holds what it should, and works where nothing but it is installed."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from importlib.metadata import PathDistribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sysfleet import __version__

pytestmark = pytest.mark.packaging

_TOP = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel() -> Path:
    [found] = (_TOP / "dist").glob("*.whl")
    return found


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and the libraries of this one."""

    folder: Path
    scratch: Path

    def run(self, *command: str) -> str:
        environment = {"PATH": f"{self.folder / 'bin'}{os.pathsep}/usr/bin:/bin", "HOME": str(self.scratch)}
        done = subprocess.run(
            command,
            cwd=self.scratch,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{command} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("clean environment")
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    # The libraries come from here, so that no network is needed; a path in a .pth file does not bring the
    # editable sysfleet with it.
    [packages] = (folder / "lib").glob("python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(folder, tmp_path_factory.mktemp("elsewhere"))


def _package_files() -> set[str]:
    walked = os.walk(_TOP / "sysfleet", followlinks=True)
    files = {str((Path(folder) / name).relative_to(_TOP)) for folder, _, names in walked for name in names}
    return {name for name in files if "__pycache__" not in name}


def test_the_wheel_holds_the_package_alone_and_all_of_it(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == _package_files()


@pytest.mark.parametrize("name", ["tasks/__init__.py", "sample/inventory/hosts.yaml", "py.typed"])
def test_what_is_linked_in_a_checkout_is_a_file_in_the_wheel(wheel: Path, name: str) -> None:
    assert f"sysfleet/{name}" in zipfile.ZipFile(wheel).namelist()


def test_the_tree_of_a_wheel_has_the_licence_and_the_version(wheel: Path) -> None:
    metadata = PathDistribution(zipfile.Path(wheel, f"sysfleet-{__version__}.dist-info/"))
    assert metadata.version == __version__
    assert metadata.metadata["License-Expression"] == "MIT"


def test_the_locked_versions_satisfy_what_the_wheel_asks_for(installed: Installed) -> None:
    script = "from importlib.metadata import requires; print(*requires('sysfleet'), sep='\\n')"
    for line in installed.run("python", "-c", script).splitlines():
        wanted = Requirement(line)
        assert wanted.specifier.contains(version(wanted.name)), line


@pytest.mark.parametrize("launcher", [["sysfleet"], ["python", "-m", "sysfleet"]])
def test_every_launcher_starts(installed: Installed, launcher: list[str]) -> None:
    assert __version__ in installed.run(*launcher, "--version")
    assert "check" in installed.run(*launcher, "--help")


@pytest.mark.parametrize("name", ["tasks", "runner", "tests", "bench"])
def test_nothing_else_lands_in_the_environment(installed: Installed, name: str) -> None:
    script = f"from importlib.util import find_spec; print(find_spec({name!r}))"
    assert installed.run("python", "-c", script).strip() == "None"


def test_every_entry_point_loads_from_the_wheel(installed: Installed) -> None:
    script = (
        "from importlib.metadata import distribution\n"
        "for point in distribution('sysfleet').entry_points: print(point.name, point.load().__module__)"
    )
    loaded = dict(line.split() for line in installed.run("python", "-c", script).splitlines())
    assert set(loaded) == {
        "sysfleet",
        "sysfleet.inventory",
        "sysfleet.netmiko",
        "sysfleet.openssh",
        "sysfleet.paramiko",
        "sysfleet.threaded",
    }


def test_a_new_project_from_the_wheel_is_a_good_one(installed: Installed) -> None:
    installed.run("sysfleet", "init", "first")
    listed = installed.run("sysfleet", "--project", "first", "inventory", "--format", "json")
    assert '"hosts"' in listed
