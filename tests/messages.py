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
OUTPUT_FUNCTIONS = {"add", "add_argument", "ArgumentParser", "print", "print_lines", "print_table"}
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
        case ast.FormattedValue(value=value):
            return template(value)
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
    return name.endswith(("Error", "Warning")) or name in {"RateLimited", "Unreachable", "SystemExit"}


def helper_names(root: Path = PACKAGE) -> set[str]:
    """Return the functions that check arguments, and those annotated to return an exception."""
    names = {"warn"}
    for path in root.rglob("*.py"):
        in_helper_module = path.relative_to(root).as_posix() in HELPER_MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                returned = ast.unparse(node.returns).split(" | ") if node.returns else []
                if in_helper_module or any(map(is_exception, returned)):
                    names.add(node.name)
    return names - {"is_number", "is_whole", "share_of"}


def messages(source: str, names: Iterable[str]) -> list[Message]:
    """Return the messages of one module in order, with the texts assigned to the variables they use."""
    tree, result, variables = ast.parse(source), [], set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        kind = called_name(call)
        if not (is_exception(kind) or kind in names):
            continue
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        texts = [text for value in values if (text := template(value))]
        if any(map(_has_words, texts)) or "check" in kind:
            result.append(Message(call.lineno, kind, " / ".join(texts)))
        for value in values:
            variables |= {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
    return sorted({*result, *_assigned(tree, variables)})


def _has_words(text: str) -> bool:
    return re.search("[a-z]", re.sub("{[^{}]*}", "", text)) is not None


def _assigned(tree: ast.Module, variables: set[str]) -> Iterator[Message]:
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        name = getattr(targets[0], "id", "")
        if name in variables and isinstance(value, ast.expr) and _has_words(text := template(value)):
            yield Message(value.lineno, f"{name} =", text)


def main(arguments: list[str]) -> None:
    """Print the messages of the package, or of the given files and folders."""
    helpers = helper_names()
    for root in map(Path, arguments or [str(PACKAGE)]):
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            names = helpers | (OUTPUT_FUNCTIONS if path.parent.name == "cli" else set())
            if listed := messages(path.read_text("utf-8"), names):
                print(f"\n{path}")
                for message in listed:
                    print(f"  {message.line:4}  {message.kind:16}  {' '.join(message.template.split())}")


if __name__ == "__main__":
    main(sys.argv[1:])
