"""Contents, metadata and types of the built wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from venv import EnvBuilder

import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CORRECT = """\
from typing import assert_type
import polars as pl
import tpanalytics as tpa
profiles = assert_type(tpa.load_sample(), tpa.TaskProfiles)
assert_type(tpa.hours(profiles, states=["validated"]), pl.DataFrame)
"""
MISSPELLED = """\
import tpanalytics as tpa
profiles = tpa.load_sample()
tpa.hours_by_famly(profiles)
tpa.hours(profiles, stats=["validated"])
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without the environment variables that point to this checkout."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MYPYPATH"}}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an environment with the dependencies of this one, but without tpanalytics."""
    folder = tmp_path_factory.mktemp("empty")
    EnvBuilder(with_pip=True).create(folder)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Python ignores .pth files in folders added by a .pth file, and so an editable install of tpanalytics.
    (packages / "dependencies.pth").write_text("\n".join(sorted(shared)), encoding="utf-8")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert run(python, "-c", "import polars", cwd=folder).returncode == 0
    return python


@pytest.fixture(scope="module")
def wheel(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # Without build isolation, the wheel is built offline.
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    built = run(empty, "-m", "pip", "wheel", "-q", "--no-deps", *isolation, "-w", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(empty: Path, wheel: Path) -> Path:
    # Do not uninstall an editable install in the other environment.
    options = ["-q", "--no-deps", "--no-index", "--ignore-installed"]
    process = run(empty, "-m", "pip", "install", *options, wheel, cwd=wheel.parent)
    assert process.returncode == 0, process.stderr
    return empty


def metadata(wheel: Path) -> Message:
    from email import message_from_bytes

    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"tpanalytics-{tpa.__version__}.dist-info/METADATA"))


def test_wheel_contains_the_package(wheel: Path) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tpanalytics").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packaged = {name for name in archive.namelist() if ".dist-info/" not in name}
        licence = archive.read(f"tpanalytics-{tpa.__version__}.dist-info/licenses/LICENSE")
    assert packaged == {name for name in files if "__pycache__" not in name}
    assert "tpanalytics/py.typed" in packaged
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_wheel_has_metadata(wheel: Path) -> None:
    fields = metadata(wheel)
    assert fields["Version"] == tpa.__version__
    assert fields["License-Expression"] == "MIT"
    assert fields.get_all("License-File") == ["LICENSE"]
    assert fields["Author"] == "the tpanalytics authors"
    assert "Typing :: Typed" in fields.get_all("Classifier", [])


def test_installed_wheel_is_imported(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CORRECT + "print(tpa.__file__, tpa.__version__, sep='\\n')\n", encoding="utf-8")
    process = run(installed, script, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    file, version = process.stdout.splitlines()
    assert Path(file).is_relative_to(installed.parents[1])
    assert version == tpa.__version__


def test_types_are_checked(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "correct.py").write_text(CORRECT, encoding="utf-8")
    (tmp_path / "misspelled.py").write_text(MISSPELLED, encoding="utf-8")
    strict = ["--strict", "--config-file=", "--cache-dir", tmp_path / "cache", "--python-executable", installed]
    result = run(sys.executable, "-m", "mypy", *strict, "correct.py", "misspelled.py", cwd=tmp_path)
    errors = re.findall(r"^(.+):(\d+): error: .*\[([\w-]+)\]$", result.stdout, flags=re.MULTILINE)
    expected = [("misspelled.py", "3", "attr-defined"), ("misspelled.py", "4", "call-arg")]
    assert errors == expected, result.stdout + result.stderr
    assert result.returncode == 1
