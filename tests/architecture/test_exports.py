"""The public names: a fixed list, in order, each with a docstring."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import cormorant
from tests.architecture.source import PACKAGE, SRC, load

# One name a line. A name is added on purpose, and leaves only with a line in CHANGELOG.md.
EXPORTED = (Path(__file__).parent / "exported_names.txt").read_text().split()


def test_the_exported_names_are_the_agreed_ones() -> None:
    assert list(cormorant.__all__) == EXPORTED


def test_the_exported_names_are_sorted_and_unique() -> None:
    assert list(cormorant.__all__) == sorted(set(cormorant.__all__))


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_name_exists_and_is_documented(name: str) -> None:
    value = getattr(cormorant, name)
    if isinstance(value, type | FunctionType | ModuleType):
        assert value.__doc__, f"{name} has no docstring"
        assert undocumented_methods(value) == []
    else:
        assert name in documented_values(), f"no docstring below the assignment of {name}"


def undocumented_methods(value: object) -> list[str]:
    """Gives the public methods and properties of a class that neither it nor a base documents."""
    if not isinstance(value, type):
        return []
    return [
        f"{value.__name__}.{name}"
        for name, member in vars(value).items()
        if not name.startswith("_")
        and isinstance(member, FunctionType | classmethod | staticmethod | property)
        and not inspect.getdoc(getattr(value, name, member))
    ]


def documented_values() -> set[str]:
    """Gives the module-level names, such as `func` or a type alias, that have a docstring right below them."""
    return {
        name
        for module in load().values()
        for statement, below in pairwise(module.tree.body)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        for name in assigned(statement)
    }


def assigned(statement: ast.stmt) -> set[str]:
    """Gives the names an assignment binds."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_package_is_typed() -> None:
    assert (SRC / PACKAGE / "py.typed").exists()
