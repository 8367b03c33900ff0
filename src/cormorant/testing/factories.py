"""Factories of test objects by polyfactory: `pip install polyfactory`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeGuard, TypeVar, cast

from polyfactory.factories.base import BaseFactory
from polyfactory.field_meta import Constraints, FieldMeta, Null

from cormorant.models import annotations as ann
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.models.state import MISSING
from cormorant.persistence.session import AsyncSession

M = TypeVar("M", bound=Model)

_THE_MODELS = object()
"""Stands for a default, which the model gives."""

# options of `field()` that the factory's values keep to, by polyfactory's names
_LIMITS = {
    "ge": "ge",
    "gt": "gt",
    "le": "le",
    "lt": "lt",
    "max_length": "max_length",
    "multiple_of": "multiple_of",
    "pattern": "pattern",
    "precision": "max_digits",
    "decimal_places": "decimal_places",
}


class Saving(Protocol):
    """What saves objects without `await`: a sync session."""

    def add(self, *objects: Model) -> None:
        """Takes new objects in."""
        ...

    def flush(self) -> None:
        """Writes them."""
        ...


class _InSession(Generic[M]):
    """Saves objects in the session of the calling context, or in the factory's own."""

    def __init__(self, session: AsyncSession | None) -> None:
        self._session = session

    async def save(self, data: M) -> M:
        """Adds an object, with what it is related to, and flushes."""
        await self.save_many([data])
        return data

    async def save_many(self, data: list[M]) -> list[M]:
        """Adds objects and flushes once."""
        session = self._session or AsyncSession.current()
        session.add(*data)
        await session.flush()
        return data


class _InSyncSession(Generic[M]):
    def __init__(self, session: Saving) -> None:
        self._session = session

    def save(self, data: M) -> M:
        """Adds an object, with what it is related to, and flushes."""
        self.save_many([data])
        return data

    def save_many(self, data: list[M]) -> list[M]:
        """Adds objects and flushes once."""
        self._session.add(*data)
        self._session.flush()
        return data


class ModelFactory(BaseFactory[M]):
    """Makes objects of a model with random values for what must be given, and saves them.

    Columns with defaults, and relations that may be None, are left to the model unless the factory or the call names
    them; objects that a relation needs are made too. `create_async` and `create_batch_async` save in the current
    session, with one flush for a batch, or in `__async_session__`; `create_sync` and `create_batch_sync` in
    `__sync_session__`.

    Example:
        >>> class AuthorFactory(ModelFactory[Author]): ...
        >>> ada = await AuthorFactory.create_async(name="Ada")          # INSERT ... RETURNING "id"
    """

    __is_base_factory__ = True
    __use_defaults__ = True
    __async_session__: ClassVar[AsyncSession | None] = None
    __sync_session__: ClassVar[Saving | None] = None

    @classmethod
    def is_supported_type(cls, value: Any) -> TypeGuard[type[M]]:
        """Whether a type is a model with a table."""
        return isinstance(value, type) and isinstance(getattr(value, "__info__", None), ModelInfo)

    @classmethod
    def get_provider_map(cls) -> dict[Any, Callable[[], Any]]:
        """Gives what makes a value of a type: moments have a time zone."""
        return {**super().get_provider_map(), datetime: lambda: cls.__faker__.date_time(tzinfo=UTC)}

    @classmethod
    def should_use_default_value(cls, field_meta: FieldMeta) -> bool:
        """Whether the model's default is left to stand: not where the factory says otherwise."""
        is_named = hasattr(cls, field_meta.name) and not hasattr(BaseFactory, field_meta.name)
        return super().should_use_default_value(field_meta) and not is_named

    @classmethod
    def get_model_fields(cls) -> list[FieldMeta]:
        """Gives the columns and to-one relations that a new object takes."""
        info: ModelInfo = cast(Any, cls.__model__).__info__
        columns = [_column_meta(info, column) for column in info.columns if _is_given(column)]
        return columns + [_relation_meta(info, name) for name, spec in info.relation_specs.items() if _is_set(spec)]

    @classmethod
    def _get_async_persistence(cls) -> Any:
        return super()._get_async_persistence() if cls.__async_persistence__ else _InSession[M](cls.__async_session__)

    @classmethod
    def _get_sync_persistence(cls) -> Any:
        if cls.__sync_session__ is None:
            return super()._get_sync_persistence()
        return _InSyncSession[M](cls.__sync_session__)


def _is_given(column: ColumnInfo) -> bool:
    # the key that a relation holds comes with the relation
    return column.spec.init and column.spec.made_by == "program" and column.spec.annotation is not None


def _is_set(spec: RelationSpec) -> bool:
    return spec.kind == "foreign_key" and spec.init


def _column_meta(info: ModelInfo, column: ColumnInfo) -> FieldMeta:
    resolved = _resolved(info, column.spec)
    python: Any = Annotated[(resolved.python, *resolved.metadata)] if resolved.metadata else resolved.python
    if choices := column.spec.options.get("choices"):
        python = Literal[tuple(choices)]
    limits = {theirs: column.spec.options[ours] for ours, theirs in _LIMITS.items() if ours in column.spec.options}
    return FieldMeta.from_type(
        python | None if resolved.nullable and not limits else python,
        name=column.attribute,
        constraints=cast(Constraints, limits) if limits else None,
        default=Null if column.spec.required else _THE_MODELS,
    )


def _resolved(info: ModelInfo, spec: FieldSpec) -> ann.ResolvedType:
    names, place = info.names(spec), f"{info.name}.{spec.name}"
    argument = ann.argument_of(spec.annotation, names, place, spec.declared_in)
    return ann.without_none(argument, names, place, spec.declared_in)


def _relation_meta(info: ModelInfo, name: str) -> FieldMeta:
    relation, spec = info.relation(name), info.relation_specs[name]
    return FieldMeta.from_type(relation.target.cls, name=name, default=Null if spec.default is MISSING else _THE_MODELS)
