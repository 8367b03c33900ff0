"""Factories of test objects by polyfactory: `pip install polyfactory`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeGuard, TypeVar, cast, get_args, get_origin

from polyfactory.factories.base import BaseFactory, BuildContext
from polyfactory.field_meta import Constraints, FieldMeta, Null

from cormorant.models import annotations as ann
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.specs import FieldSpec, RelationSpec
from cormorant.models.state import MISSING
from cormorant.persistence.session import AsyncSession
from cormorant.sql.types import base_of
from cormorant.testing.column_values import ColumnValues, forget_given, unique_columns
from cormorant.testing.limits import laid_flat, limits_of
from cormorant.testing.values import Maker

M = TypeVar("M", bound=Model)

_THE_MODELS = object()
"""Stands for a default, which the model gives."""

# options of `field()` that have a value given also where None could be
_LIMITS = frozenset(
    ("ge", "gt", "le", "lt", "min_length", "max_length", "multiple_of", "pattern", "precision", "decimal_places")
)


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
    def get_field_value(
        cls, field_meta: FieldMeta, field_build_parameters: Any = None, build_context: BuildContext | None = None
    ) -> Any:
        """Gives a value of a field: one that the model does not refuse."""

        def polyfactorys() -> Any:
            return super(ModelFactory, cls).get_field_value(field_meta, field_build_parameters, build_context)

        values = field_meta.values if isinstance(field_meta, _ColumnMeta) else None
        if values is None or cls.should_use_example_value(field_meta):
            return polyfactorys()
        if cls.should_set_none_value(field_meta):
            return None
        return values.make(cls.__random__, polyfactorys)

    @classmethod
    def get_constrained_field_value(
        cls,
        annotation: Any,
        field_meta: FieldMeta,
        field_build_parameters: Any = None,
        build_context: BuildContext | None = None,
    ) -> Any:
        """Gives a value within limits, of which `coverage()` asks for one after another."""

        def polyfactorys() -> Any:
            return super(ModelFactory, cls).get_constrained_field_value(
                annotation, field_meta, field_build_parameters, build_context
            )

        values = field_meta.values if isinstance(field_meta, _ColumnMeta) else None
        return polyfactorys() if values is None or not values.made_here else values.make(cls.__random__, polyfactorys)

    @classmethod
    def seed_random(cls, seed: int) -> None:
        """Begins with the values of a seed, whichever were made before."""
        super().seed_random(seed)
        forget_given()

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


class _ColumnMeta(FieldMeta):
    """A field with the column that it is for; the parts of its type are fields of this class too, without one."""

    values: ColumnValues | None = None


def _column_meta(info: ModelInfo, column: ColumnInfo) -> FieldMeta:
    resolved = _resolved(info, column.spec)
    metadata, python = laid_flat(resolved.metadata), _with_flat_items(resolved.python)
    if choices := column.spec.options.get("choices"):
        python = Literal[tuple(choices)]
    annotated: Any = Annotated[(python, *metadata)] if metadata else python
    meta = _ColumnMeta.from_type(
        annotated | None if resolved.nullable and _LIMITS.isdisjoint(column.spec.options) else annotated,
        name=column.attribute,
        default=Null if column.spec.required else _THE_MODELS,
    )
    unique = column.name in unique_columns(info)
    maker = Maker(python, base_of(column.type), limits_of(column, metadata), unique=unique)
    meta.values = ColumnValues(info, column, maker, unique=unique)
    if maker.fits and not meta.constraints:
        # what they are the maker knows: polyfactory is told that there are some
        meta.constraints = Constraints(min_length=0)
    return meta


def _with_flat_items(python: Any) -> Any:
    items = get_args(python)
    metadata = getattr(items[0], "__metadata__", ()) if get_origin(python) is list else ()
    if not metadata:
        return python
    item: Any = Annotated[(items[0].__origin__, *laid_flat(metadata))]
    return list[item]


def _resolved(info: ModelInfo, spec: FieldSpec) -> ann.ResolvedType:
    names, place = info.names(spec), f"{info.name}.{spec.name}"
    argument = ann.argument_of(spec.annotation, names, place, spec.declared_in)
    return ann.without_none(argument, names, place, spec.declared_in)


def _relation_meta(info: ModelInfo, name: str) -> FieldMeta:
    relation, spec = info.relation(name), info.relation_specs[name]
    return FieldMeta.from_type(relation.target.cls, name=name, default=Null if spec.default is MISSING else _THE_MODELS)
