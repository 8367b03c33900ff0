"""A schema as the source of models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cormorant._internal.naming import constraint_name, snake_case
from cormorant.schema import column_types as types
from cormorant.schema import snapshot as s
from cormorant.schema.source_plan import ModelPlan, Plan, Relation, is_one_to_one, plain_unique, plan_models
from cormorant.schema.source_types import Python, constant, for_generated, literal, python_type
from cormorant.schema.unsaid import NUMBERING

_WIDTH = 120
_INSIDE = " " * 8


def models_source(snapshot: s.SchemaSnapshot) -> str:
    """Gives a module with the models of a database's tables, whose tables are the ones that it was made of.

    Tables of links become models that `many_to_many(through=...)` leads through; names are made singular, cleaned, and
    kept by `table=` and `column=` where they are others. What models cannot say (views, tables without a primary key,
    tables of other schemas, foreign keys to other columns than a primary key) stands in comments at the end.

    Args:
        snapshot: What `SchemaBuilder.live` gave.

    Example:
        >>> print(models_source(await SchemaBuilder(db).live()))
    """
    plan = plan_models(snapshot)
    writer = _Writer(plan, snapshot.dialect or "postgresql")
    body = [part for enum in plan.enums.values() for part in _enum(*enum)]
    for model in plan.models:
        body += writer.model(model)
    if plan.left:
        body += ["", "", *(f"# not here: {what}" for what in plan.left)]
    return "\n".join([*_header("\n".join(body)), *body]) + "\n"


def _header(body: str) -> list[str]:
    """Gives the imports of the names that are used."""

    def used(names: str) -> list[str]:
        return [name for name in names.split() if re.search(rf"(?<![\w.'\"]){name}\b", body)]

    lines = ["from __future__ import annotations", ""]
    lines += ["import enum"] if used("enum") else []
    sources = {
        "collections.abc": "Iterable",
        "datetime": "date datetime time timedelta",
        "decimal": "Decimal",
        "typing": "Any",
        "uuid": "UUID",
    }
    lines += [f"from {module} import {', '.join(found)}" for module, names in sources.items() if (found := used(names))]
    ours = used(
        "Many Mapped Model One TableArg check field foreign_key generated index many_to_many reverse search_index text "
        "types unique"
    )
    lines += [] if lines[-1] == "" else [""]
    return [*lines, "from cormorant import (", *(f"    {name}," for name in ours), ")"]


def _enum(name: str, members: dict[str, str]) -> list[str]:
    lines = [f"    {member} = {literal(label)}" for label, member in members.items()]
    return ["", "", f"class {name}(enum.Enum):", *lines]


class _Writer:
    """Writes models one by one."""

    def __init__(self, plan: Plan, dialect: str) -> None:
        self.dialect = dialect
        self.classes = {name: found[0] for name, found in plan.enums.items()}
        self.members = {found[0]: found[1] for found in plan.enums.values()}

    def model(self, model: ModelPlan) -> list[str]:
        """Gives the lines of one model."""
        table = model.table
        keywords = [] if snake_case(model.name) == table.name else [f"table={literal(table.name)}"]
        keywords += [] if table.comment is None else [f"comment={literal(table.comment)}"]
        lines = ["", "", f"class {model.name}({', '.join(['Model', *keywords])}):"]
        lines += self._columns(model)
        lines += [f"    {side.name}: {side.annotation} = {side.call}" for side in model.sides]
        arguments = [*self._uniques(model), *self._checks(model), *self._indexes(model), *self._searches(model)]
        if arguments:
            lines += ["", "    @classmethod", "    def __table_args__(cls) -> Iterable[TableArg]:"]
            lines += [line for argument in arguments for line in argument]
        return lines

    # ---- columns and relations

    def _columns(self, model: ModelPlan) -> Iterable[str]:
        """Gives the columns in order, those of the key first, and each relation where its key column is."""
        first = [column for name in model.key if (column := model.table.column(name)) is not None]
        written: list[Relation] = []
        for column in (*first, *(column for column in model.table.columns if column.name not in model.key)):
            relation = model.relation_of((column.name,))
            if relation is None:
                yield from self._column(model, column)
            else:
                written.append(relation)
                yield from self._relation(model, relation)
        for relation in model.relations:
            if relation not in written:
                yield from self._relation(model, relation)

    def _column(self, model: ModelPlan, column: s.Column) -> list[str]:
        python = python_type(column, self.classes, self.dialect)
        name = model.attributes[column.name]
        options, made = self._said(model, column, python)
        annotation = f"{python.annotation} | None" if column.nullable else python.annotation
        declared = f"{name}: Mapped[{annotation}]"
        if not options:
            return [f"    {declared}"]
        return _call(f"{declared} = {'generated' if made else 'field'}", _options(options), "    ")

    def _said(self, model: ModelPlan, column: s.Column, python: Python) -> tuple[dict[str, str], bool]:
        """Gives what is said of a column, and whether the database makes its value."""
        options: dict[str, str] = {}
        value = constant(column, python, self.members)
        made = column.identity is not None or column.computed is not None
        made = made or (column.default is not None and value is None)
        if column.name in model.key:
            options["primary_key"] = "True"
        if made:
            python = for_generated(python)
            if column.identity is not None and python.options.get("size") == '"big"':
                # a key that the database numbers has 64 bits by itself
                python = python if column.name not in model.key else replace(python, options={})
            options |= self._made(model, column)
        elif column.default is not None:
            options |= {"default": value or "None", "server_default": f"text({_text(column.default)})"}
        elif column.nullable:
            options["default"] = "None"
        if plain_unique(model.table, column.name) is not None:
            options["unique"] = "True"
        elif self._plain_index(model, (column.name,)) is not None:
            options["index"] = "True"
        if model.attributes[column.name] != column.name:
            options["column"] = literal(column.name)
        options |= python.options
        said = {"collation": None if made else column.collation, "comment": column.comment}
        options |= {name: literal(text) for name, text in said.items() if text is not None}
        return options, made

    def _made(self, model: ModelPlan, column: s.Column) -> dict[str, str]:
        key = column.name in model.key
        if column.computed is not None:
            return {"computed": _text(column.computed)}
        if column.identity is not None and not key:
            numbers = f"nextval({NUMBERING}({_quoted(model.table.name)}, {_quoted(column.name)}))"
            return {"server_default": f"text({literal(numbers)})"}
        if column.default is not None and not key:
            return {"server_default": f"text({_text(column.default)})"}
        # a key that the database makes has 64 bits where nothing is said
        size = {"size": '"normal"'} if types.plain(column.type) == "integer" else {}
        return size if column.default is None else {"server_default": f"text({_text(column.default)})"} | size

    def _relation(self, model: ModelPlan, relation: Relation) -> list[str]:
        key, target = relation.key, relation.target.name
        options: dict[str, str] = {}
        if not relation.implied:
            options |= {"init": "False", "columns": _tuple(model.attributes[name] for name in key.columns)}
        elif relation.nullable:
            options["default"] = "None"
        if key.on_delete != "restrict":
            options["on_delete"] = f'"{key.on_delete}"'
        if key.on_update == "cascade":
            options["on_update"] = '"cascade"'
        options |= {"deferrable": "True"} if key.deferrable else {}
        options |= self._over_key(model, relation)
        annotation = f"One[{target} | None]" if relation.nullable else f"One[{target}]"
        return _call(f"{relation.name}: {annotation} = foreign_key", _options(options), "    ")

    def _over_key(self, model: ModelPlan, relation: Relation) -> dict[str, str]:
        """Gives what a relation says of the index, or the constraint, over its key columns."""
        columns = relation.key.columns
        if not relation.implied:
            # a column of one says it itself
            has = len(columns) > 1 and self._plain_index(model, columns) is not None
            one = is_one_to_one(model, relation) and columns != model.key
            return {} if has else {"unique": "True"} if one else {"index": "False"}
        if columns[0] in model.key:
            return {"primary_key": "True"}
        if plain_unique(model.table, columns[0]) is not None:
            return {"unique": "True"}
        return {} if self._plain_index(model, columns) is not None else {"index": "False"}

    # ---- what is said of the table

    def _plain_index(self, model: ModelPlan, columns: tuple[str, ...]) -> s.Index | None:
        """Gives the index that the columns can declare by themselves."""
        name = constraint_name("ix", model.table.name, columns)
        plain = s.Index(name, tuple(s.IndexItem(column) for column in columns))
        single = len(columns) == 1 and plain_unique(model.table, columns[0]) is not None
        in_key = any(column in model.key for column in columns) and model.relation_of(columns) is not None
        return None if single or in_key else next((index for index in model.table.indexes if index == plain), None)

    def _uniques(self, model: ModelPlan) -> Iterable[list[str]]:
        for unique in model.table.uniques:
            if len(unique.columns) == 1 and plain_unique(model.table, unique.columns[0]) == unique:
                continue
            parts = [self._of_class(model, column) for column in unique.columns]
            if unique.name not in (constraint_name("uq", model.table.name, unique.columns), ""):
                parts.append(f"name={literal(unique.name)}")
            yield _call("yield unique", [*parts, *(["deferrable=True"] if unique.deferrable else [])], _INSIDE)

    def _checks(self, model: ModelPlan) -> Iterable[list[str]]:
        for number, check in enumerate(model.table.checks):
            name = check.name or constraint_name("ck", model.table.name, (str(number + 1),))
            yield _call("yield check", [f"text({_text(check.condition)})", f"name={literal(name)}"], _INSIDE)

    def _indexes(self, model: ModelPlan) -> Iterable[list[str]]:
        for index in model.table.indexes:
            columns = tuple(item.column or "" for item in index.items)
            if self._plain_index(model, columns) == index and self._says_index(model, columns):
                continue
            parts = [self._item(model, item) for item in index.items]
            parts += self._index_options(model, index)
            yield _call("yield index", parts, _INSIDE)

    def _says_index(self, model: ModelPlan, columns: tuple[str, ...]) -> bool:
        return len(columns) == 1 or any(relation.key.columns == columns for relation in model.relations)

    def _index_options(self, model: ModelPlan, index: s.Index) -> Iterable[str]:
        if index.where is not None:
            yield f"where=text({_text(index.where)})"
        if index.unique:
            yield "unique=True"
        yield f"name={literal(index.name)}"
        if index.method is not None:
            yield f"using={literal(index.method)}"
        if index.include:
            yield f"include={_tuple((self._of_class(model, name) for name in index.include), plain=True)}"
        classes = [item.operator_class for item in index.items]
        if any(classes):
            yield f"operator_class={_tuple(('None' if x is None else literal(x) for x in classes), plain=True)}"

    def _item(self, model: ModelPlan, item: s.IndexItem) -> str:
        said = f"text({_text(item.expression or '')})" if item.column is None else self._of_class(model, item.column)
        said += ".desc()" if item.descending else ".asc()" if item.nulls else ""
        return f"{said}.nulls_{item.nulls}()" if item.nulls else said

    def _searches(self, model: ModelPlan) -> Iterable[list[str]]:
        for search in model.table.searches:
            parts = [self._of_class(model, column) for column in search.columns]
            parts += [f"language={literal(search.language)}", f"name={literal(search.name)}"]
            yield _call("yield search_index", parts, _INSIDE)

    def _of_class(self, model: ModelPlan, column: str) -> str:
        relation = model.relation_of((column,))
        return f"cls.{model.attributes[column]}" if relation is None else f"cls.{relation.name}"


def _text(sql: s.Sql) -> str:
    return literal(sql if isinstance(sql, str) else sql.texts[0][1])


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _tuple(items: Iterable[str], *, plain: bool = False) -> str:
    said = [item if plain else literal(item) for item in items]
    return f"({', '.join(said)}{',' if len(said) == 1 else ''})"


def _call(before: str, arguments: Sequence[str], indent: str) -> list[str]:
    """Gives the lines of a call: one, or one for each argument where that would be too long."""
    line = f"{indent}{before}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{indent}{before}(", *(f"{indent}    {argument}," for argument in arguments), f"{indent})"]


def _options(options: Mapping[str, str]) -> list[str]:
    return [f"{name}={said}" for name, said in options.items()]
