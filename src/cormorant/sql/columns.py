"""Columns, and the sources they are read from."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeVar

from cormorant._internal.secrets import about
from cormorant.errors import WrongType, reworded
from cormorant.sql import content as content  # what its lists and documents are asked
from cormorant.sql import types as t
from cormorant.sql.expr import Bind, Binds, Expr, Key, is_expr, walk
from cormorant.sql.nodes import Null
from cormorant.sql.operators import check_comparable
from cormorant.sql.sources import Source, column_key

T_co = TypeVar("T_co", covariant=True)


class Column(Expr[T_co]):
    """A column of a model, perhaps reached along relations.

    Args:
        source: Where the column is read from.
        name: Its name in the database.
        type_: Its type.
        nullable: Whether it can be NULL, a LEFT JOIN on the way included.
        owner: What messages call it, for instance "Article.title".
        attribute: The model's name for it.
        collation: By what rules its texts are compared and folded; the database's own if None.
    """

    __slots__ = ("_nullable", "attribute", "collation", "name", "owner", "source")

    def __init__(
        self,
        source: Source,
        name: str,
        type_: t.SqlType,
        *,
        nullable: bool,
        owner: str,
        attribute: str | None = None,
        collation: str | None = None,
    ) -> None:
        self.source: Source = source
        self.name: str = name
        self.type = type_
        self._nullable = nullable
        self.owner: str = owner
        self.attribute: str = attribute or name
        self.collation: str | None = collation
        self.key: Key = column_key(source, name)
        self.binds: Binds = ()

    @property
    def nullable(self) -> bool:
        return self._nullable

    def __repr__(self) -> str:
        return self.owner

    def set(self, value: T_co | Expr[T_co]) -> Assignment:
        """An assignment for `.update(...)`: a value or an expression.

        Example:
            >>> Article.views.set(Article.views + 1)   # SET "views" = "articles"."views" + $1
        """
        return Assignment(self, self._stored(value))

    def _stored(self, value: Any) -> Expr[Any]:
        if is_expr(value):
            check_comparable((self, value), self.type, value.type)
            return value
        if value is None:
            if not self._nullable:
                raise WrongType(f"{self!r} takes no None")
            return Null()
        try:
            self.type.check_stored(value)
        except WrongType as error:
            raise reworded(error, about(f"{self!r}", error.message), hint=error.hint) from None
        return Bind(value, self.type)


def collation_of(expr: Expr[Any]) -> str | None:
    """Gives the collation that a text is computed by: that of a column in it, if one has its own."""
    columns = (node for node in walk(expr) if isinstance(node, Column))
    return next((column.collation for column in columns if column.collation is not None), None)


class Assignment:
    """`column = expression` in an UPDATE."""

    __slots__ = ("column", "value")

    def __init__(self, column: Column[Any], value: Expr[Any]) -> None:
        self.column: Column[Any] = column
        self.value: Expr[Any] = value
