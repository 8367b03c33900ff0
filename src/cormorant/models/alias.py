"""A model under a second name in one query: `boss = alias(Country)`."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from cormorant.errors import WrongType
from cormorant.models.metadata import AliasedInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.paths import Path
from cormorant.sql.columns import Column
from cormorant.sql.sources import Source, TableSource, aliased

M = TypeVar("M", bound=Model)


class Alias(Path):
    """A model read a second time; it is used like the model's class.

    Args:
        info: The model.
        name: The name it gets in SQL, if that is free.
    """

    __slots__ = ()

    def __init__(self, info: ModelInfo, name: str | None) -> None:
        self._info = info
        self._source = aliased(info.table, name, info)
        self._parent = self._source
        self._optional = False
        self._steps = ()

    @classmethod
    def at(cls, info: ModelInfo, source: Source) -> Alias:
        """Gives a model as it is read from a source that a query has already."""
        new = object.__new__(cls)
        new._info, new._source, new._parent, new._optional, new._steps = info, source, source, False, ()
        return new

    def __repr__(self) -> str:
        return f"alias({self._info.name})"

    @property
    def __aliased__(self) -> AliasedInfo:
        """The model as a query reads it that starts from this."""
        if not isinstance(self._source, TableSource):
            # it stands for what another query joins, and no query can start from there
            raise AttributeError("__aliased__")
        return AliasedInfo(self._info, self, self._source)

    def __hash__(self) -> int:
        return hash(self._source.key)

    def _may_be_none(self) -> bool:
        return False

    def _column(self, name: str) -> Column[Any]:
        return self._info.column_from(self._source, name)


def alias(model: type[M], name: str | None = None) -> type[M]:
    """Gives a model under another name, for what reads it twice: a join, or a query inside another one.

    Args:
        model: The model.
        name: The name in SQL; the table's with a number if none is given.

    Raises:
        WrongType: It is no concrete model.

    Example:
        >>> boss = alias(Country)
        >>> session.query(Country).join(boss, boss.code == Country.parent.code).values(Country.code, boss.code)
        ... # FROM "country" JOIN "country" AS "country_2" ON "country_2"."code" = "country"."parent_code"
        >>> session.query(boss).filter(boss.code == Country.parent.code)  # to stand in a query of countries
    """
    info = getattr(model, "__info__", None)
    if not isinstance(info, ModelInfo):
        raise WrongType(f"{model!r} is no concrete model", hint="name the model's class: alias(Author)")
    if name is not None and (not isinstance(cast(object, name), str) or not name):
        raise WrongType(f"alias({info.name}, {name!r}): a name is a str, and not empty")
    return cast("type[M]", Alias(info, name))
