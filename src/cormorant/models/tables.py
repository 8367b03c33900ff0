"""Models as tables: the values that CREATE statements are compiled from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, get_args

from cormorant._internal.naming import constraint_name
from cormorant._internal.topological import CycleError, sort
from cormorant.errors import CormorantError, ModelError, WrongType
from cormorant.models.constraints import CheckSpec, IndexSpec, SearchSpec, UniqueSpec
from cormorant.models.links import LinkTable, RelationInfo, end_names
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.paths import Path
from cormorant.models.registry import registry
from cormorant.models.state import MISSING
from cormorant.models.validation import problem_of
from cormorant.sql import ddl as d
from cormorant.sql import types as t
from cormorant.sql.calls import Fragment
from cormorant.sql.columns import Column
from cormorant.sql.expr import Bind, Expr, Order, is_expr, walk
from cormorant.sql.sources import TableSource


def create_operations(infos: Iterable[ModelInfo], *, add_constraints: bool) -> list[d.Operation]:
    """Gives what creates the tables of models: enum types, tables parents first, indexes.

    Args:
        infos: The models.
        add_constraints: The database can add a foreign key later, so that tables may point to each other; otherwise
            the keys stay in CREATE TABLE, and the database must accept a target that does not exist yet.
    """
    tables = tables_of(infos)
    ordered, deferred = _in_dependency_order(tables, defer=add_constraints)
    operations: list[d.Operation] = [d.CreateEnum(name, labels) for name, labels in _enums(tables).items()]
    operations += [d.CreateTable(table, tuple(deferred.get(table.name, ()))) for table in ordered]
    for table in ordered:
        operations += _comments(table)
        operations += [d.AddForeignKey(table.name, key) for key in deferred.get(table.name, ())]
        operations += [d.CreateIndex(table, index) for index in table.indexes]
        operations += _search_operations(table)
    return operations


def _comments(table: d.Table) -> Iterable[d.Operation]:
    if table.comment is not None:
        yield d.Comment(table.name, None, table.comment)
    for column in table.columns:
        if column.comment is not None:
            yield d.Comment(table.name, column.name, column.comment)


def _search_operations(table: d.Table) -> Iterable[d.Operation]:
    for index in table.searches:
        yield d.CreateSearchIndex(table, index)
        for event in get_args(d.SearchEvent):
            yield d.MaintainSearchIndex(table, index, event)


def drop_operations(infos: Iterable[ModelInfo]) -> list[d.Operation]:
    """Gives what drops the tables of models: children first, enum types last."""
    tables = tables_of(infos)
    ordered, _ = _in_dependency_order(tables, defer=True)
    drops: list[d.Operation] = [d.DropSearchIndex(index.name) for table in tables for index in table.searches]
    drops += [d.DropTable(table.name, cascade=True) for table in reversed(ordered)]
    return [*drops, *(d.DropEnum(name) for name in _enums(tables))]


def tables_of(infos: Iterable[ModelInfo]) -> list[d.Table]:
    """Gives the models' tables, and the tables of links between them.

    Raises:
        ModelError: Indexes of two tables have one name.
    """
    result: dict[str, d.Table] = {}
    for info in infos:
        result[info.table] = table_of(info)
        for relation in info.relations.values():
            declared = info.relation_specs[relation.name].kind == "many_to_many"
            if declared and relation.link is not None and relation.link.through is None:
                result[relation.link.table] = link_table(relation, relation.link)
    _refuse_shared_names(result.values())
    return list(result.values())


def _refuse_shared_names(tables: Iterable[d.Table]) -> None:
    """Refuses indexes of one name in two tables, which no database has: those of "a_b.c" and "a.b_c" are such."""
    owners: dict[str, str] = {}
    for table in tables:
        for name in (*(index.name for index in table.indexes), *(search.name for search in table.searches)):
            other = owners.setdefault(name, table.name)
            if other != table.name:
                raise ModelError(
                    f"the tables {other} and {table.name} both have an index of the name {name!r}",
                    hint='give one of them another name: index(..., name="...") in __table_args__, and index=False',
                )


def table_of(info: ModelInfo) -> d.Table:
    """Gives a model's table."""
    specs = _table_args(info)
    for spec in specs:
        if not isinstance(spec, (IndexSpec, UniqueSpec, CheckSpec, SearchSpec)):
            raise ModelError(
                f"__table_args__ of {info.name} yields {spec!r}", hint="yield index(), unique() or check() of columns"
            )
    uniques = (*_column_uniques(info), *(_unique(info, spec) for spec in specs if isinstance(spec, UniqueSpec)))
    checks = tuple(_check(info, spec, i) for i, spec in enumerate(s for s in specs if isinstance(s, CheckSpec)))
    indexes = _indexes(info, [spec for spec in specs if isinstance(spec, IndexSpec)])
    searches = search_indexes(info, specs)
    for kind, things in (("unique constraints", uniques), ("checks", checks)):
        _refuse_same_names(info, kind, [thing.name for thing in things])
    _refuse_same_names(info, "indexes", [*(index.name for index in indexes), *(index.name for index in searches)])
    return d.Table(
        name=info.table,
        columns=tuple(_column(info, column) for column in info.columns),
        primary_key=tuple(column.name for column in info.key_columns),
        foreign_keys=tuple(_foreign_key(relation) for relation in info.relations.values() if relation.kind == "to_one"),
        uniques=uniques,
        checks=checks,
        indexes=indexes,
        searches=searches,
        comment=info.comment,
        renamed_from=info.renamed_from,
        retired=tuple(info.retired.values()),
        app=info.app,
        source_key=info.source.key,
    )


def _table_args(info: ModelInfo) -> list[Any]:
    try:
        return list(info.cls.__table_args__())
    except CormorantError:
        raise
    except Exception as error:
        raise ModelError(
            f"__table_args__ of {info.name} fails: {error}", hint="yield index(), unique() or check() of cls's columns"
        ) from error


def _refuse_same_names(info: ModelInfo, kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ModelError(f"{info.name} has two {kind} named {name!r}", hint="name one of them otherwise")


def _column(info: ModelInfo, column: ColumnInfo) -> d.ColumnDef:
    spec = column.spec
    default = None if spec.server_default is MISSING else _default(info, column)
    return d.ColumnDef(
        name=column.name,
        type=column.type,
        nullable=column.nullable,
        identity=column.identity,
        default=default,
        computed=None if spec.computed is None else _computed(info, column),
        collation=spec.options.get("collation"),
        comment=spec.options.get("comment"),
        fill=_fill(column),
        renamed_from=spec.options.get("renamed_from") or _renamed_key(info, column),
    )


def _fill(column: ColumnInfo) -> Expr[Any] | None:
    """Gives what rows get that were there before the column: the default of new objects, if it is always the same."""
    spec = column.spec
    if spec.default is not MISSING and spec.default is not None and not is_expr(spec.default):
        return Bind(spec.default, column.type)
    empty = spec.default_factory in (list, dict)
    return Bind(spec.default_factory(), column.type) if empty and spec.default_factory is not None else None


def _renamed_key(info: ModelInfo, column: ColumnInfo) -> str | None:
    """Gives the name that a relation's key column had before the relation was renamed."""
    relation = info.relation_specs.get(column.spec.relation or "")
    if relation is None or relation.renamed_from is None or column.spec.column is not None:
        return None
    return column.name.replace(relation.name, relation.renamed_from, 1)


def _default(info: ModelInfo, column: ColumnInfo) -> Expr[Any]:
    value = column.spec.server_default
    if is_expr(value):
        return value
    problem = problem_of(column, value)
    if problem is not None:
        raise WrongType(f"the server_default of {info.name}.{column.attribute}: {problem}")
    return Bind(value, column.type)


def _computed(info: ModelInfo, column: ColumnInfo) -> Expr[Any]:
    computed = column.spec.computed
    found = computed(info.cls) if callable(computed) else computed
    if isinstance(found, str):
        return Fragment(found)
    if is_expr(found):
        return found
    raise ModelError(
        f"{info.name}.{column.attribute} is computed by {found!r}",
        hint='use a function of the model, or text("first || last")',
    )


def _foreign_key(relation: RelationInfo) -> d.ForeignKeyDef:
    _check_key_types(relation)
    columns = tuple(relation.owner.by_attribute[name].name for name in relation.local)
    return d.ForeignKeyDef(
        name=constraint_name("fk", relation.owner.table, columns),
        columns=columns,
        target=relation.target.table,
        target_columns=tuple(relation.target.by_attribute[name].name for name in relation.remote),
        on_delete=relation.on_delete,
        on_update=relation.on_update,
        deferrable=relation.owner.relation_specs[relation.name].deferrable,
    )


def _check_key_types(relation: RelationInfo) -> None:
    """Refuses a declared column that can equal no key: PostgreSQL takes no such foreign key, SQLite matches no row."""
    owner, target = relation.owner, relation.target
    for name, key in zip(relation.local, relation.remote, strict=True):
        mine, theirs = owner.by_attribute[name].type, target.by_attribute[key].type
        if _kind(mine) is not _kind(theirs):
            raise ModelError(
                f"{owner.name}.{name} is of type {mine.name}, and {target.name}.{key}, to which {relation.name} points,"
                f" of type {theirs.name}",
                hint=f"declare {name} with the type of {target.name}.{key}, or leave it out",
            )


def _kind(type_: t.SqlType) -> type[t.SqlType]:
    """Gives what stands for all types that PostgreSQL compares with this one."""
    base = t.base_of(type_)
    if isinstance(base, (t.Enumeration, t.Literals)):
        return t.Integer if base.integers else t.Text
    return t.Integer if isinstance(base, (t.Numeric, t.Float)) else type(base)


def _column_uniques(info: ModelInfo) -> Iterable[d.UniqueDef]:
    for column in info.columns:
        if column.spec.unique:
            yield d.UniqueDef(constraint_name("uq", info.table, (column.name,)), (column.name,))
    for relation in info.relations.values():
        if relation.kind == "to_one" and len(relation.local) > 1 and info.relation_specs[relation.name].unique:
            names = tuple(info.by_attribute[name].name for name in relation.local)
            yield d.UniqueDef(constraint_name("uq", info.table, names), names)


def _column_indexes(info: ModelInfo) -> Iterable[d.IndexDef]:
    for column in info.columns:
        if column.spec.index and not column.spec.unique:
            yield _plain_index(info, (column.attribute,))
    for relation in info.relations.values():
        spec = info.relation_specs[relation.name]
        if (
            relation.kind == "to_one"
            and len(relation.local) > 1
            and spec.index
            and not (spec.unique or spec.primary_key)
        ):
            yield _plain_index(info, relation.local)


def _plain_index(info: ModelInfo, attributes: tuple[str, ...]) -> d.IndexDef:
    columns = [info.column(name) for name in attributes]
    name = constraint_name("ix", info.table, (column.name for column in columns))
    return d.IndexDef(name, tuple(Order(column, descending=False) for column in columns))


def _items(items: Sequence[Any]) -> list[Order]:
    """Gives columns, relations and expressions as ordered items; a relation stands for its key columns."""
    result: list[Order] = []
    for item in items:
        if isinstance(item, Order):
            result.append(item)
        elif isinstance(item, Path):
            result += [Order(column, descending=False) for column in item.__key_columns__()]
        elif is_expr(item):
            result.append(Order(item, descending=False))
        else:
            raise ModelError(
                f"{item!r} is no column, relation or expression of a model",
                hint="write cls.title, func.lower(cls.title)",
            )
    return result


def _unique(info: ModelInfo, spec: UniqueSpec) -> d.UniqueDef:
    names = tuple(_column_name(info, order.expr) for order in _items(spec.items))
    return d.UniqueDef(spec.name or constraint_name("uq", info.table, names), names, spec.deferrable)


def _column_name(info: ModelInfo, expr: Expr[Any]) -> str:
    if isinstance(expr, Column) and expr.source.key == info.source.key:
        return expr.name
    raise ModelError(
        f"unique() of {info.name} got {expr!r}", hint="use columns of the model, or index(..., unique=True)"
    )


def _check(info: ModelInfo, spec: CheckSpec, number: int) -> d.CheckDef:
    names = [node.name for node in walk(spec.condition) if isinstance(node, Column)]
    _refuse_joins(info, spec.condition, "check()")
    suffix = (*dict.fromkeys(names), *([str(number)] if number else []))
    return d.CheckDef(spec.name or constraint_name("ck", info.table, suffix), spec.condition)


def _indexes(info: ModelInfo, specs: Iterable[IndexSpec]) -> tuple[d.IndexDef, ...]:
    """Gives the indexes, each once, and those over the same columns under names of their own."""
    found: dict[Any, d.IndexDef] = {}
    names: set[str] = set()
    for index, named in (
        *((i, False) for i in _column_indexes(info)),
        *((_index(info, s), bool(s.name)) for s in specs),
    ):
        number, name = 2, index.name
        while name in names and not named:
            name, number = constraint_name(index.name, str(number), ()), number + 1
        if (content := _content(index)) not in found:
            found[content] = replace(index, name=name)
            names.add(name)
    return tuple(found.values())


def _content(index: d.IndexDef) -> Any:
    expressions = [order.expr for order in index.items] + ([] if index.where is None else [index.where])
    values = tuple(repr(bind.value) for expr in expressions for bind in expr.binds)
    return (
        tuple(order.key for order in index.items),
        index.where is not None and index.where.key,
        values,
        index.unique,
        index.using,
        index.include,
        index.operator_classes,
    )


def _index(info: ModelInfo, spec: IndexSpec) -> d.IndexDef:
    items = tuple(_items(spec.items))
    for item in items:
        _refuse_joins(info, item.expr, "index()")
    names = [node.name for item in items for node in walk(item.expr) if isinstance(node, Column)]
    name = spec.name or constraint_name("ix", info.table, names)
    include = tuple(_column_name(info, order.expr) for order in _items(spec.include))
    return d.IndexDef(name, items, spec.unique, spec.where, spec.using, include, spec.operator_classes)


def search_indexes(info: ModelInfo, specs: Iterable[Any]) -> tuple[d.SearchIndexDef, ...]:
    """Gives the full text searches among what a model declares."""
    return tuple(_search_index(info, spec) for spec in specs if isinstance(spec, SearchSpec))


def _search_index(info: ModelInfo, spec: SearchSpec) -> d.SearchIndexDef:
    for column in spec.columns:
        _refuse_joins(info, column, "search_index()")
    name = spec.name or constraint_name("fts", info.table, (column.name for column in spec.columns))
    return d.SearchIndexDef(name, spec.columns, spec.language)


def _refuse_joins(info: ModelInfo, expr: Expr[Any], what: str) -> None:
    for node in walk(expr):
        if isinstance(node, Column) and node.source.key != info.source.key:
            raise ModelError(f"{what} of {info.name} reads {node!r}, which is in another table")


def link_table(relation: RelationInfo, link: LinkTable) -> d.Table:
    """Gives the table of links of a many-to-many relation: both keys, and nothing else."""
    ends = ((relation.owner, link.near), (relation.target, link.far))
    before = end_names(*(info.renamed_from or info.cls.__default_table__ for info, _ in ends))
    columns = [
        d.ColumnDef(name, column.type, renamed_from=_other(f"{end}_{column.name}", name))
        for end, (info, names) in zip(before, ends, strict=True)
        for name, column in zip(names, info.key_columns, strict=True)
    ]
    keys = tuple(
        d.ForeignKeyDef(
            constraint_name("fk", link.table, names),
            names,
            info.table,
            tuple(c.name for c in info.key_columns),
            "cascade",
            # nobody else could have the links follow a key that changes
            "no_action" if all(c.identity for c in info.key_columns) else "cascade",
        )
        for info, names in ends
    )
    far_index = d.IndexDef(
        constraint_name("ix", link.table, link.far),
        tuple(Order(_bare_column(link.table, name), descending=False) for name in link.far),
    )
    return d.Table(
        link.table,
        tuple(columns),
        (*link.near, *link.far),
        keys,
        indexes=(far_index,),
        renamed_from=_other(_links_before(relation), link.table),
        app=relation.owner.app,
    )


def _links_before(relation: RelationInfo) -> str:
    """Gives the name that a table of links had before its relation, or the model of it, was renamed."""
    owner, name = relation.owner, relation.name
    return constraint_name(owner.renamed_from or owner.table, owner.relation_specs[name].renamed_from or name, ())


def _other(before: str, now: str) -> str | None:
    return None if before == now else before


def _bare_column(table: str, name: str) -> Column[Any]:
    source = TableSource(table, f"table {table}")
    return Column(source, name, t.UNKNOWN, nullable=False, owner=f"{table}.{name}")


def _enums(tables: Iterable[d.Table]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for column in table.columns:
            item = column.type.item if isinstance(column.type, t.Array) else column.type
            if not isinstance(item, t.Enumeration) or not item.native:
                continue
            if found.setdefault(item.native, item.labels) != item.labels:
                raise ModelError(
                    f"two enums are named {item.native!r} in the database",
                    hint=f'name this one otherwise: field(native="...") for {table.name}.{column.name}',
                )
    return found


def _in_dependency_order(
    tables: list[d.Table], *, defer: bool
) -> tuple[list[d.Table], dict[str, list[d.ForeignKeyDef]]]:
    """Gives the tables parents first, and for rings the foreign keys that must be added afterwards."""
    by_name = {table.name: table for table in tables}
    deferred: dict[str, list[d.ForeignKeyDef]] = {}
    while True:
        needs = {
            table.name: [k.target for k in table.foreign_keys if k not in deferred.get(table.name, ())]
            for table in tables
        }
        try:
            ordered = [by_name[name] for name in sort(by_name, needs)]
        except CycleError as error:
            _break_ring(by_name, error.cycle, deferred)
        else:
            return ordered, deferred if defer else {}


def _break_ring(
    by_name: dict[str, d.Table], cycle: tuple[Any, ...], deferred: dict[str, list[d.ForeignKeyDef]]
) -> None:
    table, target = by_name[cycle[0]], cycle[1]
    keys = [key for key in table.foreign_keys if key.target == target]
    deferred.setdefault(table.name, []).extend(keys)


def infos_of(models: Sequence[type[Any]]) -> list[ModelInfo]:
    """Gives what is known of models, of every one if none is named.

    Raises:
        ModelError: One is no concrete model, or there is none.
    """
    for model in models:
        if not isinstance(getattr(model, "__info__", None), ModelInfo):
            raise ModelError(f"{model!r} is no concrete model", hint="pass model classes: create_all(Author, Article)")
    infos: list[ModelInfo] = [model.__info__ for model in models] if models else list(registry)
    if not infos:
        raise ModelError("no model is known", hint="import the modules that define them first")
    return infos
