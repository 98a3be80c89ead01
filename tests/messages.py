"""List every message of the package by module: ``python -m tests.messages [PATH ...]``.

Each line shows a line number, the exception or function that takes the message, and its text with placeholders.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(__file__).parents[1] / "tpanalytics"
#: Modules whose functions check an argument or phrase a refusal.
HELPER_MODULES = ("measures/_core/checks.py", "api/http/refusals.py")
#: Functions that print or describe a command, in `tpanalytics/cli`.
OUTPUT_FUNCTIONS = {"add", "add_argument", "add_argument_group", "ArgumentParser", "error"}
OUTPUT_FUNCTIONS |= {"print", "print_lines", "print_table"}
#: Arguments of any function with notes on a result.
NOTES = {"policy", "warnings"}
_MAX_PLACEHOLDER = 40


class Message(NamedTuple):
    """A message template and where it is defined."""

    line: int
    kind: str
    template: str


def template(node: ast.expr) -> str:
    """Return the text of an expression, with placeholders for what is only known at run time."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part) for part in parts)
        case ast.FormattedValue(value=value) | ast.Starred(value=value):
            return template(value)
        case ast.BinOp(left=value, op=ast.Mult()) | ast.GeneratorExp(elt=value) | ast.ListComp(elt=value):
            return template(value)
        case ast.Dict(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            return " / ".join(map(template, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left) + template(right)
        case ast.IfExp(body=body, orelse=orelse):
            return f"[{template(body)}|{template(orelse)}]"
        case ast.BoolOp(values=values):
            return f"[{'|'.join(map(template, values))}]"
    code = ast.unparse(node)
    return f"{{{code if len(code) <= _MAX_PLACEHOLDER else '...'}}}"


def called_name(node: ast.AST) -> str:
    """Return the name of a called function without its module, or an empty string."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_exception(name: str) -> bool:
    """Return whether a name is that of an exception or warning of the package or of Python."""
    return name.endswith(("Error", "Warning", "Exception")) or name in {"RateLimited", "Unreachable", "SystemExit"}


def helper_names(root: Path = PACKAGE) -> set[str]:
    """Return the functions that check arguments, and those annotated to return an exception."""
    names = {"add_note", "on_wait", "warn"}
    for path in root.rglob("*.py"):
        in_helper_module = path.relative_to(root).as_posix() in HELPER_MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                returned = ast.unparse(node.returns).split(" | ") if node.returns else []
                if in_helper_module or any(map(is_exception, returned)):
                    names.add(node.name)
    return names - {"is_number", "is_whole", "share_of"}


def messages(source: str, names: set[str], used: Iterable[str] = ()) -> list[Message]:
    """Return the messages of one module in order, with the texts of the variables and functions they use.

    Texts of the functions in `used`, like ``"note()"``, are also returned, because other modules use them.
    """
    tree = ast.parse(source)
    result, used_here = _calls_and_names(tree, names, used)
    for name, value in _parts(tree):
        text = template(value)
        if name in used_here and re.search(r"[\w.,;:')] [\w'(`]", re.sub("{[^{}]*}", "x", text)):
            result.add(Message(value.lineno, f"{name.removesuffix('()')} =", text))
    return sorted(result)


def _calls_and_names(tree: ast.Module, names: set[str], used: Iterable[str] = ()) -> tuple[set[Message], set[str]]:
    """Return the messages in calls, and the names of the variables and functions that they depend on."""
    result, parts = set(), list(_parts(tree))
    used = {*used, *(f"{name}()" for name in names)}
    raised = {id(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(is_exception(called_name(base)) for base in node.bases):
            raised |= {id(part) for part in ast.walk(node) if called_name(part) == "__init__"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        kind = called_name(call)
        is_message = is_exception(kind) or kind in names or id(call) in raised
        notes = [keyword.value for keyword in call.keywords if keyword.arg in NOTES or is_message]
        values = [*call.args, *notes] if is_message else notes
        texts = [text for value in values if (text := template(value))]
        if any(map(_has_words, texts)) or (values and "check" in kind):
            result.add(Message(call.lineno, kind, " / ".join(texts)))
        used |= _names(values)
    size = 0
    while size < len(used):
        size = len(used)
        used |= _names(value for name, value in parts if name in used)
    return result, used


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    parts = [part for node in nodes for part in ast.walk(node)]
    return {part.id for part in parts if isinstance(part, ast.Name)} | {
        f"{called_name(part)}()" for part in parts if isinstance(part, ast.Call)
    }


def _has_words(text: str) -> bool:
    return re.search("[a-z]", re.sub("{[^{}]*}", "", text)) is not None


def _parts(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the values of variables, the items added to them, and the values that functions return."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))], value=value):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.AugAssign(target=ast.Name(id=name), value=value) | ast.For(target=ast.Name(id=name), iter=value):
                yield name, value
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value]):
                yield name, value
            case ast.FunctionDef(name=name):
                for part in ast.walk(node):
                    if isinstance(part, ast.Return | ast.Yield) and part.value is not None:
                        yield f"{name}()", part.value


def main(arguments: list[str]) -> None:
    """Print the messages of the package, or of the given files and folders."""
    helpers = helper_names()
    sources = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    used = set[str]().union(*(_calls_and_names(ast.parse(source), helpers)[1] for source in sources.values()))
    for root in map(Path, arguments or [str(PACKAGE)]):
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            names = helpers | (OUTPUT_FUNCTIONS if path.parent.name == "cli" else set())
            shared = {name for name in used if name.endswith("()")} if "charts" not in path.parts else set()
            if listed := messages(path.read_text("utf-8"), names, shared):
                print(f"\n{path}")
                for message in listed:
                    print(f"  {message.line:4}  {message.kind:16}  {' '.join(message.template.split())}")


if __name__ == "__main__":
    main(sys.argv[1:])
