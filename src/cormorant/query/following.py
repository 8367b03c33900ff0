"""What a query of objects can be asked to bring along with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cormorant._internal.lru import LRU
from cormorant.errors import QueryError
from cormorant.models.metadata import ModelInfo
from cormorant.models.paths import ManyExpr
from cormorant.query.builder import Builder
from cormorant.query.related import NOTHING, Loading, Verb, chosen_columns, columns_key, following_key, grown, steps_to
from cormorant.query.spec import QuerySpec
from cormorant.sql.columns import Column

if TYPE_CHECKING:
    from cormorant.models.model import Model

R = TypeVar("R")

# what follows of one relation, by the object that stands for it, which is held here and so keeps its id
_followed: LRU[tuple[Verb, int], tuple[Any, ModelInfo, Loading, tuple[Any, ...]]] = LRU(500)


class Following(Builder[R]):
    """The methods that say what comes along with the objects, and which columns they get."""

    __slots__ = ()

    def select_related(self, *relations: type[Model] | ManyExpr[Any]) -> Self:
        """Brings related objects in the rows of the query itself, by a join.

        A relation to many on the way is loaded by a statement of its own: rows never multiply, and a limit counts the
        query's own objects.

        Args:
            relations: Relations from the query's model: `Article.author.country`.

        Raises:
            WrongType: Something is no relation.
            QueryError: It is one of another model.

        Example:
            >>> session.query(Article).select_related(Article.author)
            ... # SELECT ... FROM "articles" JOIN "author" ON "author"."id" = "articles"."author_id"
        """
        return self._follow("select_related", relations)

    def prefetch_related(self, *relations: type[Model] | ManyExpr[Any]) -> Self:
        """Loads related objects by one statement for each relation, after the query's own.

        Args:
            relations: Relations from the query's model; a relation to many may be narrowed by `filter`, `order_by` and
                `limit`, which counts each owner's objects. Such a collection holds that part: `len` and iteration
                give it, `await` still loads all.

        Raises:
            WrongType: Something is no relation.
            QueryError: It is one of another model, or asked for in two ways.

        Example:
            >>> session.query(Author).prefetch_related(Author.articles, Author.articles.each.tags)
            ... # SELECT ... FROM "author"; SELECT ... FROM "articles" WHERE "articles"."author_id" = ANY($1); ...
        """
        return self._follow("prefetch_related", relations)

    def _follow(self, verb: Verb, relations: tuple[Any, ...]) -> Self:
        if not relations:
            raise QueryError(f"{verb}() names no relation", hint=f"{verb}({self._spec.info.name}.relation)")
        info, loading = self._spec.info, self._spec.loading
        # a relation read from its model is the same object each time
        known = _followed.recent.get((verb, id(relations[0]))) if len(relations) == 1 and loading is NOTHING else None
        if known is not None and known[0] is relations[0] and known[1] is info:
            return self._with(known[3], loading=known[2])
        branches = loading.branches
        for relation in relations:
            branches = grown(branches, steps_to(info, relation, verb), join=verb == "select_related")
        key, made = following_key(branches), Loading(branches, loading.only, loading.without)
        if len(relations) == 1 and loading is NOTHING and len(branches[0].branches) == 0:
            _followed.put((verb, id(relations[0])), (relations[0], info, made, key))
        return self._with(key, loading=made)

    def only(self, *columns: Column[Any]) -> Self:
        """Reads just these columns; the primary key and the version always come too.

        The others are deferred: `await obj` loads them, for all objects of the result at once. A further call takes
        the place of this one.

        Args:
            columns: Columns of the query's model, and of relations that come along: `Author.articles.each.title`.

        Raises:
            WrongType: Something is no column.
            QueryError: It is one of another model.

        Example:
            >>> session.query(Article).only(Article.title)
            ... # SELECT "articles"."id", "articles"."title" FROM "articles"
        """
        chosen = chosen_columns(self._spec.info, columns, "only")
        return self._with(columns_key("only", chosen), loading=replace(self._spec.loading, only=chosen))

    def defer(self, *columns: Column[Any]) -> Self:
        """Leaves columns out until they are asked for; further calls add to them.

        Args:
            columns: Columns of the query's model, and of relations that come along: `Author.articles.each.title`.

        Raises:
            WrongType: Something is no column.
            QueryError: It is one of another model.

        Example:
            >>> article = await session.query(Article).defer(Article.body).first()
            >>> (await article).body      # SELECT ... FROM "articles" WHERE "articles"."id" = ANY($1)
        """
        chosen = chosen_columns(self._spec.info, columns, "defer")
        without = dict(self._spec.loading.without)
        for source, names in chosen.items():
            without[source] = without.get(source, frozenset()) | names
        return self._with(columns_key("defer", chosen), loading=replace(self._spec.loading, without=without))


def check_loading(spec: QuerySpec, items: tuple[Any, ...]) -> None:
    """Refuses values where objects are asked to come with something: there is nothing to attach it to.

    Raises:
        QueryError: The query's own objects are not selected.
    """
    loading, info = spec.loading, spec.info
    if loading is NOTHING or any(item is info.cls for item in items):
        return
    verb = "only() or defer()" if not loading.branches else "select_related() or prefetch_related()"
    raise QueryError(
        f"{verb} with values of {info.name}: there are no {info.name} objects it could be for",
        hint=f"leave it out, or select {info.name} itself too: .values({info.name}, ...)",
    )
