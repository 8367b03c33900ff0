"""`WritingInside`: writes that are a part of another query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from typing_extensions import TypeVar

from cormorant.models.model import Model
from cormorant.query.builder import Builder
from cormorant.query.protocols import home_of
from cormorant.query.subquery import Cte, Subquery
from cormorant.query.written import changed_rows, inserted_rows
from cormorant.sql.columns import Assignment, Column
from cormorant.sql.expr import Expr

M = TypeVar("M", bound=Model)
Named: TypeAlias = "Sequence[Column[object] | type[Model]]"
Returning: TypeAlias = "type[M] | Expr[object] | tuple[Expr[object], ...] | None"


class WritingInside(Builder[M]):
    """Gives updates, deletes and inserts as common table expressions, on PostgreSQL.

    They run, once, with the query that reads them or has them by `with_(...)`; every part of it sees the tables as
    they were before. Hooks do not run, and loaded objects do not follow.
    """

    __slots__ = ()

    def update_cte(self, name: str, *assignments: Assignment, returning: Returning[M] = None) -> Cte:
        """Gives an update of the query's rows, to be read by another query.

        Args:
            name: Its name in SQL.
            assignments: What the columns get.
            returning: What can be read of the changed rows: the model's columns, an expression, or a tuple.

        Example:
            >>> raised = session.query(Item).update_cte("raised", Item.price.set(Item.price + 1), returning=Item.id)
            >>> session.query(Item).join(raised, raised[Item.id] == Item.id)
            ... # WITH "raised" AS (UPDATE "item" SET ... RETURNING "item"."id") SELECT ... JOIN "raised" ON ...
        """
        return changed_rows(name, self._spec, "update", assignments, returning, home=home_of(self._executor))

    def delete_cte(self, name: str, *, returning: Returning[M] = None) -> Cte:
        """Gives a delete of the query's rows, to be read by another query.

        Args:
            name: Its name in SQL.
            returning: What can be read of the deleted rows: the model's columns, an expression, or a tuple.

        Example:
            >>> gone = session.query(Article).filter(old).delete_cte("gone", returning=(Article.id, Article.title))
            >>> await session.query(Archive).insert_from([Archive.id, Archive.title], gone)
            ... # WITH "gone" AS (DELETE FROM "articles" ... RETURNING ...) INSERT INTO "archive" ... FROM "gone"
        """
        return changed_rows(name, self._spec, "delete", (), returning, home=home_of(self._executor))

    def insert_cte(
        self, name: str, columns: Named, rows: Builder[Any] | Subquery, *, returning: Returning[M] = None
    ) -> Cte:
        """Gives an insert of another query's rows, to be read by a third one.

        Args:
            name: Its name in SQL.
            columns: The columns that get the query's columns, in its order.
            rows: The query.
            returning: What can be read of the new rows: the model's columns, an expression, or a tuple.
        """
        return inserted_rows(name, self._spec, columns, rows, returning, home=home_of(self._executor))
