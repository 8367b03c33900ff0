"""Tables as models: which relations there are, and what all of it is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cormorant._internal.naming import constraint_name, snake_case
from cormorant.schema import snapshot as s
from cormorant.schema.matching import same_type
from cormorant.schema.operations import default_name
from cormorant.schema.python_names import attribute_name, class_name, member_names, plural, singular

_KEY_ENDINGS = ("_id", "_uuid", "_code", "_key", "_no", "_fk")


@dataclass(slots=True)
class Relation:
    """A to-one relation of a model.

    Args:
        key: The foreign key.
        name: The attribute.
        implied: Its key column is the one that `foreign_key()` makes, so that no attribute declares it.
    """

    key: s.ForeignKey
    target: ModelPlan
    name: str
    implied: bool
    nullable: bool


@dataclass(slots=True)
class Side:
    """A relation that is declared for its other side, or leads through a table of links.

    Args:
        call: What stands on the right.
    """

    name: str
    annotation: str
    call: str


@dataclass(slots=True)
class ModelPlan:
    """A table and the names of its model.

    Args:
        attributes: The attributes of columns, by their names in the database.
        links: The two ends, if the table holds links between rows.
    """

    table: s.Table
    name: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    relations: list[Relation] = field(default_factory=list[Relation])
    sides: list[Side] = field(default_factory=list[Side])

    @property
    def taken(self) -> set[str]:
        """The names that its attributes have so far."""
        names = {*self.attributes.values(), *(x.name for x in self.relations), *(x.name for x in self.sides)}
        return names | {f"{x.name}_id" for x in self.relations if x.implied}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return () if self.table.primary_key is None else self.table.primary_key.columns

    def relation_of(self, columns: tuple[str, ...]) -> Relation | None:
        """Gives the relation whose key these columns hold, if no attribute declares them."""
        return next((x for x in self.relations if x.implied and x.key.columns == columns), None)


@dataclass(frozen=True)
class Plan:
    """All models of a module.

    Args:
        enums: For each enum type, by its name in the database, the class and its members by label.
        left: What cannot be said in models, in words.
    """

    models: list[ModelPlan]
    enums: dict[str, tuple[str, dict[str, str]]]
    left: list[str]


def plan_models(snapshot: s.SchemaSnapshot) -> Plan:
    """Gives the models of a schema's tables."""
    left = [f"the view {view.key}" for view in snapshot.views]
    left += [f"the table {t.key}, which is in another schema" for t in snapshot.tables if t.schema is not None]
    own = [table for table in snapshot.tables if table.schema is None]
    left += [f"the table {table.name}, which has no primary key" for table in own if table.primary_key is None]
    taken: set[str] = set()
    models: dict[str, ModelPlan] = {}
    for table in (table for table in own if table.primary_key is not None):
        name = class_name(table.name, taken)
        taken.add(name)
        models[table.key] = ModelPlan(table, name)
    enums = {enum.name: _enum(enum, taken) for enum in snapshot.enums if enum.schema is None}
    for model in models.values():
        _name_parts(model, models, taken, left)
    for model in models.values():
        _add_sides(model, taken)
        left += _unsaid(model)
    return Plan(_in_order(models), enums, left)


def _unsaid(model: ModelPlan) -> Iterable[str]:
    """Gives in words what stays as it is where the table is, and would not be made elsewhere."""
    table = model.table
    for column in table.columns:
        if column.identity is not None and column.name not in model.key:
            yield f"that {table.name}.{column.name}, which is no key, is numbered by the database ({column.identity})"
    for index in table.indexes:
        if found := [item.collation for item in index.items if item.collation is not None]:
            yield f"the collation of the index {index.name} of {table.name}, {', '.join(found)}"
    uniques: list[s.Unique | s.Index] = [*table.uniques, *table.indexes]
    for unique in uniques:
        if not unique.nulls_distinct:
            yield f"that NULLs are equal in {unique.name} of {table.name} (NULLS NOT DISTINCT)"


def _enum(enum: s.Enum, taken: set[str]) -> tuple[str, dict[str, str]]:
    name = class_name(enum.name, taken)
    taken.add(name)
    return name, dict(zip(enum.labels, member_names(enum.labels), strict=True))


# ------------------------------------------------------------------ columns and to-one relations


def _name_parts(model: ModelPlan, models: dict[str, ModelPlan], classes: set[str], left: list[str]) -> None:
    keys = [key for key in model.table.foreign_keys if _can_be_said(model, key, models, left)]
    named = _columns_named(model.table)
    for key in keys:
        target = models[key.target]
        implied = _is_implied(model, key, target, keys, named)
        columns = [column for name in key.columns if (column := model.table.column(name)) is not None]
        nullable = any(column.nullable for column in columns)
        name = attribute_name(_relation_name(key, target), model.taken | classes)
        # a name that had to change is no name that implies its column
        implied = implied and f"{name}_id" == key.columns[0]
        model.relations.append(Relation(key, target, name, implied, nullable))
    for column in model.table.columns:
        if model.relation_of((column.name,)) is None:
            wanted = column.name
            if wanted in model.taken:
                wanted = f"{wanted}_{_KEY_ENDINGS[0].strip('_')}"
            model.attributes[column.name] = attribute_name(wanted, model.taken | classes)


def _can_be_said(model: ModelPlan, key: s.ForeignKey, models: dict[str, ModelPlan], left: list[str]) -> bool:
    words = f"the foreign key {key.name or ', '.join(key.columns)} of {model.table.name}, "
    target = models.get(key.target)
    if target is None:
        left.append(words + "whose target is no model")
    elif key.target_columns != target.key:
        left.append(words + f"which is to other columns of {target.table.name} than its primary key")
    elif key.on_update not in ("no_action", "cascade"):
        left.append(words + f"whose on_update is {key.on_update}")
    elif key.deferrable == "immediate":
        left.append(words + "which is deferrable, and initially immediate")
    else:
        return True
    return False


def _columns_named(table: s.Table) -> set[str]:
    """Gives the columns that indexes and searches name one by one, so that attributes must declare them."""
    found = {name for index in table.indexes for name in index.include}
    found |= {name for search in table.searches for name in search.columns}
    for index in table.indexes:
        found |= {item.column for item in index.items if item.column and (item.descending or item.nulls)}
    return found


def _is_implied(
    model: ModelPlan, key: s.ForeignKey, target: ModelPlan, keys: list[s.ForeignKey], named: set[str]
) -> bool:
    """Whether `foreign_key()` alone makes the very column that the key has."""
    column = model.table.column(key.columns[0])
    target_column = target.table.column(key.target_columns[0])
    if len(key.columns) != 1 or column is None or target_column is None or column.name in named:
        return False
    plain = column.default is None and column.comment is None and column.computed is None and column.identity is None
    once = sum(column.name in other.columns for other in keys) == 1
    own = column.name.endswith("_id") and column.name.islower() and column.name.isidentifier()
    # the column of a key has its target's type, and no more
    return plain and once and own and same_type(column, target_column) and column.collation is None


def _relation_name(key: s.ForeignKey, target: ModelPlan) -> str:
    column, *more = key.columns
    if more:
        return snake_case(target.name)
    ending = next((each for each in _KEY_ENDINGS if column.lower().endswith(each) and len(column) > len(each)), "")
    return column[: len(column) - len(ending)]


# ------------------------------------------------------------------ other sides


def _add_sides(model: ModelPlan, classes: set[str]) -> None:
    ends = links_of(model)
    if ends is not None:
        _add_links(model, *ends, classes)
    if ends is not None and not _has_more(model, *ends):
        return
    for relation in model.relations:
        one = is_one_to_one(model, relation)
        base = snake_case(model.name) if one else plural(snake_case(model.name))
        several = sum(other.target is relation.target for other in model.relations) > 1
        wanted = f"{relation.name}_of" if relation.target is model else f"{relation.name}_{base}" if several else base
        name = attribute_name(wanted, relation.target.taken | classes)
        annotation = f"One[{model.name} | None]" if one else f"Many[{model.name}]"
        relation.target.sides.append(Side(name, annotation, f'reverse("{relation.name}")'))


def is_one_to_one(model: ModelPlan, relation: Relation) -> bool:
    """Whether the key, or what a column says by itself, keeps rows from pointing to the same one."""
    columns = relation.key.columns
    return columns == model.key or (len(columns) == 1 and plain_unique(model.table, columns[0]) is not None)


def plain_unique(table: s.Table, column: str) -> s.Unique | None:
    """Gives the unique constraint that a column can declare by itself: it has the name that it would get, or none."""
    for unique in table.uniques:
        names = ("", constraint_name("uq", table.name, (column,)), default_name(table.key, unique))
        if unique.columns == (column,) and unique.deferrable is None and unique.name in names:
            return unique
    return None


def links_of(model: ModelPlan) -> tuple[Relation, Relation] | None:
    """Gives the two ends of a table of links: two keys of others are its key, or all it has beside a key of its own."""
    if len(model.relations) != 2:
        return None
    near, far = model.relations
    both = {*near.key.columns, *far.key.columns}
    whole = {column.name for column in model.table.columns} - both
    own = len(model.key) == 1 and whole == set(model.key)
    if near.nullable or far.nullable or not (set(model.key) == both or own):
        return None
    return near, far


def _has_more(model: ModelPlan, near: Relation, far: Relation) -> bool:
    """Whether links have something to tell beside their ends."""
    return bool({column.name for column in model.table.columns} - {*near.key.columns, *far.key.columns, *model.key})


def _add_links(model: ModelPlan, near: Relation, far: Relation, classes: set[str]) -> None:
    name = attribute_name(plural(singular(_last(far.name))), near.target.taken | classes)
    call = f'many_to_many(through="{model.name}")'
    near.target.sides.append(Side(name, f"Many[{far.target.name}]", call))
    if near.target is not far.target:
        other = attribute_name(plural(singular(_last(near.name))), far.target.taken | classes)
        far.target.sides.append(Side(other, f"Many[{near.target.name}]", f'reverse("{name}")'))


def _last(name: str) -> str:
    return name.rstrip("_")


def _in_order(models: dict[str, ModelPlan]) -> list[ModelPlan]:
    """Gives the models parents first, where there are no rings."""
    done: list[ModelPlan] = []
    waiting: list[ModelPlan] = list(models.values())
    while waiting:
        ready = next((m for m in waiting if _stands_on(m) <= {id(d) for d in done}), waiting[0])
        waiting.remove(ready)
        done.append(ready)
    return done


def _stands_on(model: ModelPlan) -> set[int]:
    return {id(relation.target) for relation in model.relations if relation.target is not model}
