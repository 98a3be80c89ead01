"""Structure of the package: layers, imports, sizes and documentation."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(tpa.__file__).parent
#: Modules that every layer may import.
BASE = {"errors", "formatting", "schema", "typing", "_atomic", "_engines", "_filter", "_paths", "_version"}
#: Layers that each layer may import from.
MAY_IMPORT = {
    **{name: set[str]() for name in BASE},
    "_engines": {"errors"},
    "_filter": {"errors"},
    "schema": {"errors", "formatting", "_engines", "_filter"},
    "api": BASE,
    "profiles": BASE | {"api"},
    "measures": BASE,
    "charts": BASE | {"measures"},
    "share": BASE | {"measures", "charts"},
    # Explorers save files and pages with share.
    "explorers": BASE | {"measures", "charts", "share"},
    "demo": BASE | {"api", "profiles"},
}
#: Folders and modules that may import a library.
ONLY_IN = {
    "requests_oauthlib": {"api/session.py"},
    "oauthlib": {"api/session.py", "api/tokens.py"},
    "requests": {"api/http", "api/tokens.py"},
    "jwt": {"api/tokens.py", "demo/client_assertion.py"},
    "cryptography": {"api/tokens.py"},
    "filelock": {"api/tokens.py", "profiles/snapshot/layout.py", "profiles/snapshot/taxonomy_file.py"},
    "urllib3": {"api/http/body.py"},
    "altair": {"charts", "explorers", "share"},
    "vl_convert": {"charts", "explorers", "share"},
    "ipywidgets": {"explorers"},
    "anywidget": {"explorers"},
    "traitlets": {"cli/voila_server.py", "cli/app.py", "explorers"},
    "voila": {"cli/voila_server.py"},
    "jinja2": {"explorers", "share/report"},
    "xlsxwriter": {"share"},
    "fastexcel": {"profiles/tables.py"},
    "nbclient": {"share/run_notebook.py"},
    "nbconvert": {"share/run_notebook.py"},
    "nbformat": {"share/run_notebook.py"},
}
MODULES = sorted(ROOT.rglob("*.py"))
MAX_LINES, MAX_FUNCTION_LINES = 600, 60


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_only_lower_layers(path: Path) -> None:
    module = path.relative_to(ROOT)
    layer = module.parts[0].removesuffix(".py")
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "tpanalytics" and layer in MAY_IMPORT:
            assert rest.split(".")[0] in MAY_IMPORT[layer] | {layer}, f"{module} must not import {name}"
        if top in ONLY_IN:
            assert {layer, module.parent.as_posix(), module.as_posix()} & ONLY_IN[top], (
                f"{module} must not import {top}"
            )


def test_every_module_belongs_to_a_layer() -> None:
    layers = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in MODULES}
    assert layers - {"__init__", "__main__", "cli"} == set(MAY_IMPORT)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from run_on_import(child)


def modules_imported_by(path: Path, modules: set[str]) -> set[str]:
    imported = set()
    for node in run_on_import(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {name if name in modules else node.module for name in names}
    return imported & modules


def test_modules_have_no_import_cycles() -> None:
    modules = {module_name(path): path for path in MODULES}
    imported = {name: modules_imported_by(path, set(modules)) for name, path in modules.items()}
    assert imported["tpanalytics.errors"] == set()
    assert "tpanalytics.errors" in imported["tpanalytics.schema"]
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_enough(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def long_functions(path: Path) -> Iterator[str]:
    """Yield the names of functions whose body, without the docstring, is too long."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[ast.get_docstring(node) is not None :]
            if body and (node.end_lineno or 0) - body[0].lineno + 1 > MAX_FUNCTION_LINES:
                yield node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_are_short_enough(path: Path) -> None:
    assert set(long_functions(path)) == set()


def loaded_after(code: str) -> set[str]:
    printed = "import sys; print('\\n'.join(sys.modules))"
    process = subprocess.run([sys.executable, "-c", f"{code}\n{printed}"], capture_output=True, text=True, check=True)
    return set(process.stdout.split())


def share_a_word(name: str, module: str) -> bool:
    return any(a.startswith(b) or b.startswith(a) for a in name.split("_") for b in re.split(r"[._]+", module))


#: Public functions whose module has another name.
EXCEPTIONS = {"connect": "api.session", "load_job": "profiles.employees"}


def test_public_functions_are_in_modules_of_their_name() -> None:
    functions = [getattr(tpa, name) for name in tpa.__all__ if inspect.isfunction(getattr(tpa, name))]
    elsewhere = {
        function.__name__: function.__module__.removeprefix("tpanalytics.")
        for function in functions
        if not share_a_word(function.__name__, function.__module__.split(".", 2)[-1])
    }
    assert elsewhere == EXCEPTIONS
    assert len(elsewhere) <= 0.05 * len(functions)


def test_no_public_function_is_shadowed_by_a_module() -> None:
    imports = "; ".join(f"import {module_name(path)}" for path in MODULES if path.stem != "__main__")
    code = "print([name for name in tpanalytics.__all__ if type(getattr(tpanalytics, name)).__name__ == 'module'])"
    process = subprocess.run([sys.executable, "-c", f"{imports}; {code}"], capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"


def test_argument_types_are_literals() -> None:
    from tpanalytics import typing as types

    for name in types.__all__:
        assert len(get_args(getattr(types, name))) > 1, name


def test_subpackages_export_no_names() -> None:
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != ROOT:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert [type(node) for node in body] == [ast.Expr], f"{path.relative_to(ROOT)} has more than a docstring"


def test_import_does_not_load_heavy_libraries() -> None:
    heavy = {"altair", "ipywidgets", "vl_convert", "requests", "narwhals", "xlsxwriter", "tqdm", "pandas", "jinja2"}
    heavy |= {"jwt", "cryptography", "filelock"}
    assert not heavy & loaded_after("import tpanalytics")


def test_measures_do_not_load_charts() -> None:
    code = "import tpanalytics as tpa; tpa.hours(tpa.load_sample())"
    assert not {"altair", "ipywidgets", "vl_convert"} & loaded_after(code)


def test_all_lists_the_public_names() -> None:
    assert tpa.__all__ == sorted(tpa.__all__)
    assert set(dir(tpa)) == set(tpa.__all__)
    with pytest.raises(AttributeError, match="hours_by_famly"):
        tpa.hours_by_famly  # noqa: B018


@pytest.mark.parametrize("name", tpa.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(tpa, name)
    if not callable(value):
        assert isinstance(value, str | tuple)
        return
    text = inspect.getdoc(value) or ""
    assert text.splitlines()[0].endswith("."), "the summary is not a single sentence"
    if inspect.isfunction(value):
        for parameter in inspect.signature(value).parameters:
            assert parameter in text, f"{parameter} is not documented"
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            required = section != "Parameters" or inspect.signature(value).parameters
            assert not required or f"{section}\n{'-' * len(section)}" in text, f"no section {section}"


def test_errors_have_a_common_base_class() -> None:
    errors = [getattr(tpa, name) for name in tpa.__all__ if name.endswith(("Error", "RateLimited", "Unreachable"))]
    assert len(errors) == 12
    assert all(issubclass(error, tpa.TpAnalyticsError) for error in errors)
    assert all(
        issubclass(error, ValueError) for error in (tpa.ConfigError, tpa.RecordError, tpa.SchemaError, tpa.ShareError)
    )
    assert issubclass(tpa.ArgumentError, tpa.SchemaError)


def test_functions_of_core_are_defined_once() -> None:
    defined: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                defined.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    repeated = {name: paths for name, paths in defined.items() if len(paths) > 1}
    assert {name: paths for name, paths in repeated.items() if any("_core/" in path for path in paths)} == {}
