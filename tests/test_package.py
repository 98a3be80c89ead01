"""The package keeps its shape: light to import, dependencies point down, every public name is told and documented."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tpanalytics as tpa

ROOT = Path(tpa.__file__).parent
#: Each room may import from those named; nothing else of the package.
MAY_IMPORT = {
    "errors": set(),
    "formatting": set(),
    "_atomic": set(),
    "schema": {"errors"},
    "api": {"errors", "schema", "_atomic", "api"},
    "profiles": {"errors", "schema", "_atomic", "api", "profiles"},
    "measures": {"errors", "schema", "measures"},
    "charts": {"errors", "schema", "formatting", "measures", "charts"},
    "share": {"errors", "schema", "formatting", "_atomic", "measures", "charts", "share"},
    # On top of share, not below it: an explorer writes its chart with `save`, and freezes into a page of share's.
    "explorers": {"errors", "schema", "formatting", "_atomic", "measures", "charts", "share", "explorers"},
    "demo": {"errors", "schema", "_atomic", "api", "profiles", "demo"},
}
#: A library and the rooms that may import it.
ONLY_IN = {
    "requests_oauthlib": {"api/session.py"},
    "oauthlib": {"api/session.py", "api/tokens.py"},
    "requests": {"api/http", "api/tokens.py"},
    "jwt": {"api/tokens.py", "demo/client_assertion.py"},
    "cryptography": {"api/tokens.py"},
    "filelock": {"api/tokens.py", "profiles/snapshot/layout.py"},
    "urllib3": {"api/http/body.py"},
    "altair": {"charts", "explorers", "share"},
    "vl_convert": {"charts", "explorers", "share"},
    "ipywidgets": {"explorers"},
    "anywidget": {"explorers"},
    "traitlets": {"cli/voila_server.py", "cli/app.py", "explorers"},
    "voila": {"cli/voila_server.py"},
    "jinja2": {"explorers", "share/report"},
    "xlsxwriter": {"share"},
    "nbclient": {"share/notebook_run.py"},
    "nbconvert": {"share/notebook_run.py"},
    "nbformat": {"share/notebook_run.py"},
}
MODULES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    place = path.relative_to(ROOT)
    room = place.parts[0].removesuffix(".py")
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "tpanalytics" and room in MAY_IMPORT:
            other = rest.split(".")[0]
            allowed = other in MAY_IMPORT[room] or other in {"_version", room}
            assert allowed, f"{place} must not import {name}"
        if top in ONLY_IN:
            assert {room, place.parent.as_posix(), place.as_posix()} & ONLY_IN[top], f"{place} must not import {top}"


def test_every_room_is_in_the_plan() -> None:
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms - {"__init__", "__main__", "_version", "cli"} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_subject(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_a_room_has_at_most_eight_files() -> None:
    for folder in {path.parent for path in MODULES} - {ROOT}:
        assert len([entry for entry in folder.iterdir() if entry.is_file()]) <= 8, folder.name


def loaded_after(code: str) -> set[str]:
    printed = "import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{printed}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light() -> None:
    heavy = {"altair", "ipywidgets", "vl_convert", "requests", "narwhals", "xlsxwriter", "tqdm", "pandas", "jinja2"}
    heavy |= {"jwt", "cryptography", "filelock"}
    assert not heavy & loaded_after("import tpanalytics")


def test_loading_and_measuring_need_no_charts() -> None:
    code = "import tpanalytics as tpa; tpa.hours(tpa.load_sample())"
    assert not {"altair", "ipywidgets", "vl_convert"} & loaded_after(code)


def test_all_names_what_there_is() -> None:
    assert tpa.__all__ == sorted(tpa.__all__)
    assert set(dir(tpa)) == set(tpa.__all__)
    with pytest.raises(AttributeError, match="hours_by_famly"):
        tpa.hours_by_famly  # noqa: B018


@pytest.mark.parametrize("name", tpa.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    thing = getattr(tpa, name)
    text = inspect.getdoc(thing) or ""
    assert text.splitlines()[0].endswith("."), "one line that says the effect"
    if inspect.isfunction(thing):
        for parameter in inspect.signature(thing).parameters:
            assert parameter in text, f"{parameter} is not described"
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            needed = section != "Parameters" or inspect.signature(thing).parameters
            assert not needed or f"{section}\n{'-' * len(section)}" in text, f"no section {section}"


def test_errors_share_one_root() -> None:
    errors = [getattr(tpa, name) for name in tpa.__all__ if name.endswith(("Error", "RateLimited", "Unreachable"))]
    assert len(errors) == 11
    assert all(issubclass(error, tpa.TpAnalyticsError) for error in errors)
    assert all(
        issubclass(error, ValueError) for error in (tpa.ConfigError, tpa.RecordError, tpa.SchemaError, tpa.ShareError)
    )
