"""What a query would send, and how the database would run it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cormorant._internal.narrowing import is_list
from cormorant._internal.secrets import has_secrets, hide_values

_TITLE = frozenset({"Node Type", "Relation Name", "Schema", "Alias", "Index Name", "Join Type", "Strategy", "Plans"})
_FIGURES = frozenset({"Startup Cost", "Total Cost", "Plan Rows", "Plan Width"})
_MEASURED = frozenset({"Actual Startup Time", "Actual Total Time", "Actual Rows", "Actual Loops"})


class CompiledQuery(NamedTuple):
    """A query as it would be sent. Its repr leaves the values out.

    Args:
        sql: The text, with the database's placeholders.
        params: The values, as the driver takes them.
    """

    sql: str
    params: tuple[Any, ...]

    def __repr__(self) -> str:
        count = len(self.params)
        return f"<CompiledQuery {self.sql!r} with {count} value{'s'[: count != 1]}>"


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the database runs a query; `print()` shows it as a tree.

    Args:
        text: The plan, a line for each step.
        parsed: The plan as the database gives it: PostgreSQL's JSON; of SQLite a tree of `detail` and `children`.
    """

    text: str
    parsed: list[dict[str, Any]]

    def __str__(self) -> str:
        return self.text


def explained(rows: Sequence[Sequence[Any]], sql: str = "") -> Explanation:
    """Gives the explanation in what the database answers: one JSON document, or a row for each step.

    Args:
        rows: The answer.
        sql: What is explained: if it has to do with secrets, none of the values that the plan quotes are shown.
    """
    if rows and len(rows[0]) == 1:
        plans: list[dict[str, Any]] = json.loads(_hide(rows[0][0]) if has_secrets(sql) else rows[0][0])
        return Explanation("\n".join(line for plan in plans for line in _plan(plan)), plans)
    tree = _tree(rows)
    return Explanation("\n".join(_steps(tree, 0)), tree)


def _hide(document: str) -> str:
    def hide(found: dict[str, Any]) -> dict[str, Any]:
        return {name: value if name in _TITLE else _without_values(value) for name, value in found.items()}

    return json.dumps(json.loads(document, object_hook=hide))


def _without_values(said: Any) -> Any:
    # what it sorts and groups by are lists
    if is_list(said):
        return [_without_values(part) for part in said]
    return hide_values(said) if isinstance(said, str) else said


# ------------------------------------------------------------------ SQLite


def _tree(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Gives the steps of (number, number of the one around it, unused, text) as a tree."""
    nodes: dict[int, dict[str, Any]] = {0: {"detail": "", "children": []}}
    for number, parent, _, detail in rows:
        nodes[number] = {"detail": detail, "children": []}
        nodes[parent]["children"].append(nodes[number])
    found: list[dict[str, Any]] = nodes[0]["children"]
    return found


def _steps(tree: list[dict[str, Any]], depth: int) -> Iterator[str]:
    for node in tree:
        yield "  " * depth + node["detail"]
        yield from _steps(node["children"], depth + 1)


# ------------------------------------------------------------------ PostgreSQL


def _plan(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _node(document["Plan"], 0)
    for name, value in document.items():
        if name.endswith("Time"):
            yield f"{name}: {value} ms"


def _node(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Gives the lines of one step and of those it takes its rows from."""
    indent = "  " * depth
    yield f"{indent}{_title(node)}  {_figures(node)}"
    for name, value in node.items():
        if name not in _TITLE | _FIGURES | _MEASURED and not isinstance(value, (bool, dict)):
            yield f"{indent}    {name}: {', '.join(map(str, value)) if is_list(value) else value}"
    for child in node.get("Plans", ()):
        yield from _node(child, depth + 1)


def _title(node: Mapping[str, Any]) -> str:
    title: str = node["Node Type"]
    if "Index Name" in node:
        title += f" using {node['Index Name']}"
    if "Relation Name" in node:
        title += f" on {node['Relation Name']}"
    if node.get("Alias") not in (None, node.get("Relation Name")):
        title += f" {node['Alias']}"
    return title


def _figures(node: Mapping[str, Any]) -> str:
    cost = f"cost={node.get('Startup Cost')}..{node.get('Total Cost')}"
    text = f"({cost} rows={node.get('Plan Rows')} width={node.get('Plan Width')})"
    if "Actual Loops" in node:
        time = f"time={node.get('Actual Startup Time')}..{node.get('Actual Total Time')}"
        text += f" (actual {time} rows={node['Actual Rows']} loops={node['Actual Loops']})"
    return text
