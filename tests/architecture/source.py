"""The package's source as data: modules, their imports, their functions and classes. Nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

PACKAGE = "cormorant"
SRC = Path(__file__).parents[2] / "src"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Where: TypeAlias = Literal["module", "typing", "function"]


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        """The part of the package it belongs to: "sql", "errors", or "__init__" for the package's own face."""
        return room_of(self.name)

    @property
    def place(self) -> str:
        """The path below the package, "query/queryset.py"."""
        tail = self.name.split(".")[1:]
        return "/".join([*tail, "__init__.py"]) if self.path.name == "__init__.py" else "/".join(tail) + ".py"


@dataclass(frozen=True)
class Import:
    """One imported module. `where` tells whether it is loaded at once, in a function, or for checkers only."""

    importer: str
    target: str
    line: int
    where: Where


def room_of(name: str) -> str:
    """Gives the room of a dotted module name."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def load(src: Path = SRC) -> dict[str, Module]:
    """Parses every file of the package, once: nobody changes what was parsed."""
    modules = (_parse(path, src) for path in sorted((src / PACKAGE).rglob("*.py")))
    return {module.name: module for module in modules}


def _parse(path: Path, src: Path) -> Module:
    parts = path.relative_to(src).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, path, ast.parse(text, filename=str(path)), text.count("\n"))


# ---- imports


def imports(module: Module, known: Mapping[str, Module]) -> list[Import]:
    """Gives all imports of a module, those in functions and under `if TYPE_CHECKING:` included."""
    written = [
        Import(module.name, target, node.lineno, where)
        for node, where in _import_nodes(module.tree, "module")
        for target in _targets(node, module, known)
    ]
    called = [
        Import(module.name, target, call.lineno, "function")
        for call in _import_calls(module)
        if (target := _literal(call)) is not None
    ]
    return written + called


def _import_nodes(node: ast.AST, where: Where) -> Iterator[tuple[ast.Import | ast.ImportFrom, Where]]:
    for field in ast.iter_child_nodes(node):
        if isinstance(field, ast.Import | ast.ImportFrom):
            yield field, where
        elif isinstance(field, ast.If) and _is_type_checking(field.test):
            for statement in field.body:
                yield from _import_nodes(ast.Module([statement], []), "typing")
            for statement in field.orelse:
                yield from _import_nodes(ast.Module([statement], []), where)
        else:
            inside = "function" if isinstance(field, Function) and where == "module" else where
            yield from _import_nodes(field, inside)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _targets(node: ast.Import | ast.ImportFrom, module: Module, known: Mapping[str, Module]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = _absolute(node, module)
    submodules = [f"{base}.{alias.name}" for alias in node.names]
    return sorted({name if name in known else base for name in submodules})


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def computed_imports(module: Module) -> list[int]:
    """Gives the lines that import by a name only known at run time."""
    return [call.lineno for call in _import_calls(module) if _literal(call) is None]


def _import_calls(module: Module) -> list[ast.Call]:
    names = {"import_module", "__import__"}
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    return [call for call in calls if ast.unparse(call.func).rpartition(".")[2] in names]


def _literal(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


# ---- functions and classes


def functions(module: Module) -> list[Function]:
    """Gives every function with a body of its own; `@overload`s and the `...` of protocols have none."""
    return [node for node in ast.walk(module.tree) if isinstance(node, Function) and not is_stub(node)]


def is_stub(function: Function) -> bool:
    """Whether a function only declares: its body is a docstring, `...`, or both."""
    return all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in function.body)


def body_lines(function: Function) -> int:
    """Counts the lines of a function's body, without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1 if body else 0


def classes(module: Module) -> list[ast.ClassDef]:
    """Gives every class of a module."""
    return [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]


def methods(class_: ast.ClassDef) -> set[str]:
    """Gives the names a class defines as methods, without the special ones Python calls."""
    names = {node.name for node in class_.body if isinstance(node, Function)}
    return {name for name in names if not (name.startswith("__") and name.endswith("__"))}
