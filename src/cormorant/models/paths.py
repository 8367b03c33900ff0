"""What relations are in queries: `Article.author` and `Author.articles` on the class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, cast

from typing_extensions import TypeIs, TypeVar

from cormorant._internal.narrowing import is_classmethod, narrower
from cormorant.errors import ExpressionUsedAsBool, QueryError, UnknownName, UnsavedError, WrongType
from cormorant.models.hybrid import hybrid
from cormorant.models.links import RelationInfo
from cormorant.models.many import WHOLE, Part, Step, as_order, read_conditions, row_count
from cormorant.models.metadata import ModelInfo
from cormorant.models.state import key_is_set, value_or_missing
from cormorant.sql import types as t
from cormorant.sql.calls import Exists, ScalarSelect
from cormorant.sql.columns import Column
from cormorant.sql.expr import Binds, Expr, Key
from cormorant.sql.functions import func
from cormorant.sql.nodes import In, IsNotTrue, IsNull, Logical, Not
from cormorant.sql.selectable import Selectable
from cormorant.sql.selects import Select
from cormorant.sql.sources import Source

if TYPE_CHECKING:
    from cormorant.models.model import Model
    from cormorant.query.builder import Condition
    from cormorant.sql.expr import Order

M = TypeVar("M")


class Path:
    """A to-one relation in a query; checkers believe it is the target's class.

    Its own names are private or reserved, since every other name is one of the target's.

    Reading a column goes on along the path and implies the join; the target's own key is read from the columns that
    hold it, without a join. Classmethods and hybrids of the target run with the path in the place of the class.

    Args:
        relation: The last relation on the path.
        parent: Where its owner is read from.
        optional: A LEFT JOIN is on the way to the owner.
        before: The relations on the way to the owner.
    """

    __slots__ = ("_info", "_optional", "_parent", "_relation", "_source", "_steps")

    def __init__(
        self, relation: RelationInfo, parent: Source, *, optional: bool, before: tuple[Step, ...] = ()
    ) -> None:
        self._relation = relation
        self._info: ModelInfo = relation.target
        self._parent = parent
        self._source: Source = relation.source_from(parent)
        self._optional = optional
        self._steps: tuple[Step, ...] = (*before, Step(relation))

    def __repr__(self) -> str:
        return self._relation.place

    def __getattr__(self, name: str) -> Any:
        info: ModelInfo = self._info
        if name in info.fields:
            return self._column(name)
        if name in info.relation_specs:
            relation = info.relation(name)
            optional = self._may_be_none()
            if relation.kind in ("to_one", "reverse_one"):
                return Path(relation, self._source, optional=optional, before=self._steps)
            # the owner's key is read where it is held, which may need no join
            key = tuple(map(self._column, relation.local))
            return ManyExpr[Any](relation, self._source, nullable=optional, before=self._steps, key=key)
        return self._of_class(name)

    def _may_be_none(self) -> bool:
        return self._optional or self._relation.nullable

    def _column(self, name: str) -> Column[Any]:
        relation = self._relation
        if relation.kind == "to_one" and name in relation.remote:
            local = relation.local[relation.remote.index(name)]
            return relation.owner.column_from(self._parent, local, nullable=self._optional)
        return self._info.column_from(self._source, name, nullable=self._may_be_none())

    def _of_class(self, name: str) -> Any:
        """Binds a classmethod or a hybrid of the target to this path."""
        found: Any = getattr_static(self._info.cls, name, None)
        if isinstance(found, hybrid):
            return found.of(self)
        if is_classmethod(found):
            # the path stands in for the class
            return partial(found.__func__, cast("type[Any]", self))
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "set":
            keys = ", ".join(f"{self!r}.{key}.set(...)" for key in self._info.key_attributes)
            raise UnknownName(f"{self!r} is a relation, and no column to be set", hint=f"set its key: {keys}")
        raise self._info.unknown(name)

    def __key_column__(self) -> Column[Any]:
        """The one column that holds the key."""
        columns = self.__key_columns__()
        if len(columns) != 1:
            raise WrongType(
                f"{self!r} has a key of {len(columns)} columns",
                hint="compare whole objects with ==, and name the columns of the key for all else",
            )
        return columns[0]

    def __key_columns__(self) -> tuple[Column[Any], ...]:
        """The columns that hold the key."""
        return tuple(self._column(name) for name in self._info.key_attributes)

    @property
    def __target__(self) -> ModelInfo:
        """The model that the path leads to."""
        return self._info

    @property
    def __steps__(self) -> tuple[Step, ...]:
        """The relations from the model it starts at."""
        return self._steps

    @property
    def __source__(self) -> Source:
        """What its columns are read from."""
        return self._source

    def __entity__(self) -> tuple[ModelInfo, tuple[Column[Any], ...], bool]:
        """What selecting the relation itself gives: the model, its columns, and whether there may be none."""
        optional = self._may_be_none()
        columns = tuple(self._info.column_from(self._source, name, nullable=optional) for name in self._info.fields)
        return self._info, columns, optional

    # ---- conditions

    def __eq__(self, other: object) -> Any:
        if other is None:
            return self.is_null()
        return key_equals(self.__key_columns__(), key_values(self._info, other, repr(self)))

    def __ne__(self, other: object) -> Any:
        return self.is_not_null() if other is None else Not(self == other)

    def __hash__(self) -> int:
        return hash((self._source.key, self._relation.place))

    def __bool__(self) -> NoReturn:
        raise ExpressionUsedAsBool(f"{self!r} is part of a query and has no truth value", hint="use .is_not_null()")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise WrongType(f"{self!r} is a relation, not a class", hint=f"use {self._info.name}(...) to make an object")

    def is_null(self) -> Expr[bool]:
        """Whether there is no such object."""
        return key_is_null(self.__key_columns__())

    def is_not_null(self) -> Expr[bool]:
        """Whether there is such an object."""
        return key_is_null(self.__key_columns__(), negated=True)

    def in_(self, objects: Iterable[Any]) -> Expr[bool]:
        """Whether the object is one of `objects`."""
        return self._among("in_", objects)

    def not_in(self, objects: Iterable[Any]) -> Expr[bool]:
        """Whether the object is none of `objects`; as in SQL, where there is none it is not known, and not kept."""
        return Not(self._among("not_in", objects))

    def _among(self, verb: str, objects: Iterable[Any]) -> Expr[bool]:
        if isinstance(objects, Selectable):
            raise WrongType(
                f"{self!r}.{verb}() takes objects", hint=f"among a query's: .id.{verb}(query.scalars(Author.id))"
            )
        keys: list[tuple[Any, ...]] = []
        for item in objects:
            if item is None:
                likewise = "| relation.is_null()" if verb == "in_" else "& relation.is_not_null()"
                raise WrongType(f"{self!r}.{verb}() got None, which IN never matches", hint=f"add {likewise}")
            keys.append(key_values(self._info, item, repr(self)))
        return key_among(self.__key_columns__(), keys)

    def optional(self) -> Any:
        """The same path, typed as possibly None."""
        return self


def path_of(relation: RelationInfo) -> Path:
    """Gives the path of a relation read from its own model."""
    return Path(relation, relation.owner.source, optional=False)


class ManyExpr(Expr[list[M]], Generic[M]):
    """A to-many relation in a query: quantifiers, a count, and `.each` to go on through it.

    Conditions read the target as its own class: `Author.articles.any(Article.views > 3)`. As a value, in `annotate`,
    it is the list of each owner's objects; `filter`, `order_by` and `limit` tell which ones.
    """

    __slots__ = ("_key", "_nullable", "_parent", "_part", "_relation", "_steps")

    def __init__(
        self,
        relation: RelationInfo,
        parent: Source,
        *,
        nullable: bool,
        before: tuple[Step, ...] = (),
        part: Part = WHOLE,
        key: tuple[Column[Any], ...] = (),
    ) -> None:
        self._key = key
        self._relation = relation
        self._parent = parent
        self._nullable = nullable
        self._part = part
        self._steps = (*before, Step(relation, part))
        self.key: Key = ("many", parent.key, relation.name, *(() if part is WHOLE else part.key))
        self.binds: Binds = () if part is WHOLE else part.binds
        self.type: t.SqlType = t.UNKNOWN

    def __repr__(self) -> str:
        return self._relation.place

    @property
    def __target__(self) -> ModelInfo:
        """The model on the far side."""
        return self._relation.target

    @property
    def __steps__(self) -> tuple[Step, ...]:
        """The relations from the model it starts at."""
        return self._steps

    @property
    def __source__(self) -> Source:
        """What its owner is read from."""
        return self._parent

    @property
    def __owner_key__(self) -> tuple[Column[Any], ...]:
        """The columns that tell whose objects are meant."""
        owner = self._relation.owner
        return self._key or tuple(
            owner.column_from(self._parent, name, nullable=self._nullable) for name in self._relation.local
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            target = self._relation.target
            if name not in target.fields and name not in target.relation_specs:
                raise target.unknown(name)
            raise UnknownName(
                f"{self!r} is many {target.name} objects, so it has no {name!r}",
                hint=f"use {self!r}.any({target.name}.{name} == ...), or {self!r}.each.{name}",
            )

    @property
    def each(self) -> type[M]:
        """The target read through a join: every pair of owner and target is a row of its own."""
        if self._part is not WHOLE:
            raise QueryError(
                f"{self!r}.filter(...).each: a join takes all of them",
                hint=f"load them by {self!r}.filter(...), and go on by {self!r}.each as a further argument",
            )
        path = Path(self._relation, self._parent, optional=True, before=self._steps[:-1])
        return cast("type[M]", path)

    # ---- which of them

    def filter(self, *conditions: Condition, **lookups: Any) -> Self:
        """Keeps the objects that meet every condition, as `QuerySet.filter` does.

        Example:
            >>> session.query(Author).prefetch_related(Author.articles.filter(Article.views > 3))
        """
        found = read_conditions(self._relation.target, conditions, lookups)
        return self._with(where=self._part.where + found)

    def order_by(self, *keys: Expr[Any] | Order | type[Any]) -> Self:
        """Sorts each owner's objects; further calls add less significant keys."""
        return self._with(order_by=self._part.order_by + tuple(map(as_order, keys)))

    def limit(self, count: int) -> Self:
        """Keeps at most so many objects of each owner.

        Example:
            >>> session.query(Author).annotate(Author.articles.order_by(Article.created.desc()).limit(3))
        """
        return self._with(limit=row_count("limit", count))

    def _with(self, **changes: Any) -> Self:
        part = replace(self._part, **changes)
        return type(self)(
            self._relation,
            self._parent,
            nullable=self._nullable,
            before=self._steps[:-1],
            part=part,
            key=self._key,
        )

    # ---- conditions

    def any(self, *conditions: Condition) -> Expr[bool]:
        """Whether one of them, or one that meets all conditions, exists: EXISTS (SELECT ...)."""
        return Exists(self._select((), conditions), self._links())

    def none(self, *conditions: Condition) -> Expr[bool]:
        """Whether none of them meets all conditions."""
        return Not(self.any(*conditions))

    def every(self, *conditions: Condition) -> Expr[bool]:
        """Whether all of them meet all conditions; true where there are none."""
        parts = read_conditions(self._relation.target, conditions, {})
        if not parts:
            raise QueryError(f"{self!r}.every() has no condition", hint="say what all of them meet: .every(...)")
        # what is NULL is not met
        return self.none(IsNotTrue(parts[0] if len(parts) == 1 else Logical("AND", parts)))

    def count(self, *conditions: Condition) -> Expr[int]:
        """How many there are, or meet all conditions: a SELECT inside the query."""
        return ScalarSelect(self._select((func.count(),), conditions), self._links(), type_=t.BIG_INTEGER)

    def _select(self, columns: tuple[Expr[Any], ...], conditions: Iterable[Any]) -> Select:
        if self._part.limit is not None:
            raise QueryError(
                f"{self!r}.limit(...) in a condition or a count", hint="say it without .limit(): the order is of no use"
            )
        where = (*self._part.where, *read_conditions(self._relation.target, conditions, {}))
        return Select(self._relation.target.source, columns, where)

    def _links(self) -> tuple[tuple[Column[Any], Expr[Any]], ...]:
        relation = self._relation
        outer = self.__owner_key__
        return tuple(zip(relation.near_columns(), outer, strict=True))


is_many: Callable[[object], TypeIs[ManyExpr[Any]]] = narrower(ManyExpr)


def key_equals(columns: tuple[Column[Any], ...], key: tuple[Any, ...]) -> Expr[bool]:
    """Gives the condition that columns hold a key."""
    parts = tuple(column == value for column, value in zip(columns, key, strict=True))
    return parts[0] if len(parts) == 1 else Logical("AND", parts)


def key_among(columns: tuple[Column[Any], ...], keys: Sequence[tuple[Any, ...]]) -> Expr[bool]:
    """Gives the condition that columns hold one of several keys."""
    if len(columns) == 1 or not keys:
        return In(columns[0], [key[0] for key in keys])
    return Logical("OR", tuple(key_equals(columns, key) for key in keys))


def key_is_null(columns: tuple[Column[Any], ...], *, negated: bool = False) -> Expr[bool]:
    """Gives the condition that columns hold no key; one that others share may hold a value all the same."""
    return IsNull(next((column for column in columns if column.nullable), columns[0]), negated=negated)


def key_values(info: ModelInfo, value: object, place: str) -> tuple[Any, ...]:
    """Gives the key of an object that stands for itself in a condition."""
    if isinstance(value, Path) and issubclass(value.__target__.cls, info.cls):
        return value.__key_columns__()
    if isinstance(value, info.cls):
        instance = cast("Model", value)
        if not key_is_set(instance):
            raise UnsavedError(f"{value!r} has no key yet, so {place} cannot be compared with it", hint="flush first")
        return tuple(value_or_missing(instance, name) for name in info.key_attributes)
    raise WrongType(
        f"{place} is a {info.name} and is compared with {value!r} ({type(value).__name__})",
        hint=f"compare with a {info.name}, with ref({info.name}, key), or compare {place}.{info.key_attributes[0]}",
    )
