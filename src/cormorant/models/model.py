"""`Model` and its metaclass: slots for columns, tracked writes, typed class access."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, cast

from typing_extensions import TypeVar, dataclass_transform

from cormorant._internal.naming import snake_case
from cormorant._internal.narrowing import is_tuple
from cormorant._internal.secrets import about
from cormorant.errors import ModelError, SessionNotEntered, UnknownName, WrongType, reworded
from cormorant.hooks.dispatcher import check_methods
from cormorant.models.constraints import TableArg
from cormorant.models.construct import compile_init
from cormorant.models.declaration import cache_rule, own_slots, read_class
from cormorant.models.describing import describe
from cormorant.models.fields import field
from cormorant.models.late import Late, is_read_late
from cormorant.models.metadata import ModelInfo
from cormorant.models.registry import registry
from cormorant.models.relations import Many, One, foreign_key, many_to_many, reverse
from cormorant.models.schemas import SchemaMeta
from cormorant.models.sides import forget_related
from cormorant.models.specs import RelationSpec
from cormorant.models.state import (
    DETACHED,
    Ghost,
    LinkVerb,
    Origin,
    Twin,
    is_ghost,
    is_persistent,
    is_set,
    new_ghost,
    original_of,
    record_change,
    set_attribute,
    set_class,
    value_or_missing,
)
from cormorant.models.validation import check_validate
from cormorant.sql.columns import Column
from cormorant.sql.expr import Expr

if TYPE_CHECKING:
    from cormorant.query.queryset import Manager

M = TypeVar("M", bound="Model")


class ColumnOfClass:
    """Answers `Author.name`. It lives on the model's own metaclass, where a data descriptor beats the slot."""

    __slots__ = ("_column", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self._column: Column[Any] | None = None

    def __get__(self, cls: Any, meta: Any = None) -> Column[Any]:
        column = self._column
        if column is None:
            column = self._column = cast("Column[Any]", cls.__info__.column(self.name))
        return column

    def __set__(self, cls: Any, value: Any) -> None:
        raise ModelError(f"{cls.__name__}.{self.name} is a column and cannot be replaced")


class ModelMeta(SchemaMeta):
    """Makes a model of a class body."""

    if TYPE_CHECKING:
        # `Article.author` is typed type[Author]: what a relation can do in a query is declared here for checkers
        def __eq__(cls: type[M], other: M | None) -> Expr[bool]: ...  # type: ignore[override,misc]  # pyright: ignore[reportIncompatibleMethodOverride,reportGeneralTypeIssues]
        def __ne__(cls: type[M], other: M | None) -> Expr[bool]: ...  # type: ignore[override,misc]  # pyright: ignore[reportIncompatibleMethodOverride,reportGeneralTypeIssues]
        def __hash__(cls) -> int: ...
        def is_null(cls) -> Expr[bool]: ...
        def is_not_null(cls) -> Expr[bool]: ...
        def in_(cls: type[M], objects: Iterable[M]) -> Expr[bool]: ...  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
        def not_in(cls: type[M], objects: Iterable[M]) -> Expr[bool]: ...  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
        def optional(cls: type[M]) -> Expr[M | None]: ...  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    else:

        def __new__(
            mcls,
            name,
            bases,
            namespace,
            *,
            table=None,
            abstract=False,
            app=None,
            cache=None,
            root=False,
            comment=None,
            renamed_from=None,
            retired=False,
            **options,
        ):
            if root:
                return super().__new__(mcls, name, bases, namespace)
            told = {"table": table, "app": app, "cache": cache, "comment": comment, "renamed_from": renamed_from}
            told |= {"abstract": abstract or retired, "retired": retired}
            return make_model(mcls, name, bases, namespace, options=options, **told)

        def __init__(cls, name, bases, namespace, **_):
            super().__init__(name, bases, namespace)

        def __getattr__(cls, name):
            info = cls.__dict__.get("__info__")
            if info is not None and not name.startswith("__"):
                raise info.unknown(name)
            raise _missing_in_class(cls, name)

        def __subclasses__(cls):
            return [sub for sub in type.__subclasses__(cls) if not issubclass(sub, (Twin, Ghost))]


def make_model(mcls: Any, name: str, bases: tuple[Any, ...], namespace: dict[str, Any], **keywords: Any) -> Any:
    """Gives the class of a model, abstract or concrete."""
    _check_bases(name, bases)
    abstract, app = keywords["abstract"], keywords["app"]
    if app is None:
        app = next((base.__app__ for base in bases if getattr(base, "__app__", None)), None)
    cache = cache_rule(name, bases, keywords["cache"])
    declaration = read_class(name, bases, namespace, abstract=abstract)
    check_methods(name, namespace)
    check_validate(name, namespace)
    slots = () if abstract else (*declaration.fields, *own_slots(namespace))
    relations = {relation: _descriptor(spec) for relation, spec in declaration.relations.items()}
    meta = mcls if abstract else _metaclass(mcls, name, tuple(declaration.fields))
    body: dict[str, Any] = {
        **namespace,
        **relations,
        "__slots__": slots,
        "__declaration__": declaration,
        "__app__": app,
        "__cache__": cache,
    }
    cls = type.__new__(meta, name, bases, body, **keywords["options"])
    default = snake_case(name)
    chosen = keywords["table"] or (f"{app}_{default}" if app else default)
    if keywords["retired"]:
        registry.retire(f"{cls.__module__}.{cls.__qualname__}", chosen, app)
    if abstract:
        return cls
    cls.__default_table__ = default
    cls.__info__ = info = ModelInfo(
        cls,
        table=chosen,
        app=app,
        fields=declaration.fields,
        relations=declaration.relations,
        comment=keywords["comment"],
        renamed_from=keywords["renamed_from"],
        retired=declaration.retired,
    )
    info.cache = cache
    info.read_late = _read_late(meta, cls, info)
    info.twin, info.ghost = _hidden_classes(meta, cls, slots)
    is_own = cls.__setattr__ is not Model.__setattr__
    cls.__construct__ = compile_init(
        cls, info.twin, info.ghost, declaration.fields, declaration.relations, is_own=is_own
    )
    if next(base for base in cls.__mro__ if "__init__" in vars(base)) is Model:
        cls.__init__ = cls.__construct__
    registry.add(info)
    return cls


def _descriptor(spec: RelationSpec) -> One[Any] | Many[Any]:
    return Many(spec) if spec.many else One(spec)


def _missing_in_class(cls: Any, name: str) -> AttributeError:
    """Gives the error for a name that an abstract model, or Model itself, does not have."""
    declared = cls.__dict__.get("__declaration__")
    if declared is not None and (name in declared.fields or name in declared.relations):
        return UnknownName(
            f"{cls.__name__}.{name} is in no table: {cls.__name__} is abstract",
            hint=f"use the {name} of a model that derives from it",
        )
    return AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}", name=name, obj=cls)


def _check_bases(name: str, bases: tuple[Any, ...]) -> None:
    for base in bases:
        if "__info__" in getattr(base, "__dict__", {}):
            raise ModelError(
                f"{name} derives from {base.__name__}, which has a table of its own",
                hint=f"move what they share into an abstract base: class {base.__name__}Base(Model, abstract=True)",
            )
        # since Python 3.12 `Generic` has no slots of its own, nor anything else
        if not isinstance(base, ModelMeta) and getattr(base, "__slots__", None) != () and base not in (object, Generic):
            raise ModelError(
                f"{name} derives from {base.__name__}, which is no model and has no empty __slots__",
                hint="a mixin for models needs `__slots__ = ()`, or derives from Model with abstract=True",
            )


def _metaclass(mcls: Any, name: str, columns: tuple[str, ...]) -> Any:
    return type(f"{name}Meta", (mcls,), {column: ColumnOfClass(column) for column in columns})


def _read_late(meta: Any, cls: Any, info: ModelInfo) -> frozenset[str]:
    """Has lists and documents read when somebody asks for them; gives the attributes."""
    found = frozenset(name for name, spec in info.fields.items() if is_read_late(info, spec))
    for name in found:
        # what answers for the class would refuse it
        delattr(meta, name)
        type.__setattr__(cls, name, Late(vars(cls)[name], info, name))
        setattr(meta, name, ColumnOfClass(name))
    return found


def _hidden_classes(meta: Any, cls: Any, slots: tuple[str, ...]) -> tuple[Any, Any]:
    """Gives the twin and the ghost; CPython swaps classes whose base and added slots are the same."""
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    info = {"__info__": cls.__info__}
    twin = type.__new__(meta, cls.__name__, (Twin, cls.__base__), {**names, **info, "__slots__": slots})
    ghost = type.__new__(meta, cls.__name__, (Ghost, cls), {**names, **info, "__slots__": ()})
    return twin, ghost


class ObjectsDescriptor:
    """`Author.objects`: a query on the current session."""

    # filled by the room that knows sessions; models know none
    make_manager: ClassVar[Callable[[Any], Any] | None] = None

    def __get__(self, instance: None, owner: type[M]) -> Manager[M]:
        make = type(self).make_manager
        if make is None:
            raise SessionNotEntered(
                "no session is known", hint="import cormorant and enter `async with AsyncSession()`"
            )
        return cast("Manager[M]", make(owner))


@dataclass_transform(kw_only_default=True, field_specifiers=(field, foreign_key, reverse, many_to_many))
class Model(metaclass=ModelMeta, **({} if TYPE_CHECKING else {"root": True})):
    """The base of every model.

    Class keywords: `table` (its table's name; the class name in snake case otherwise), `abstract=True` (no table;
    its columns go to its subclasses), `app` (the package it belongs to: a prefix of table names, inherited), `cache`
    (whether its rows may be kept in the second-level cache: True, False, or seconds to keep them; inherited),
    `comment` (what PostgreSQL says of the table), `renamed_from` (the name that the table had before), `retired=True`
    (there is no such model any more: the next migration may drop its table with its rows).

    Example:
        >>> class Author(Model):
        ...     id: Mapped[int] = generated(primary_key=True)
        ...     name: Mapped[str] = field(max_length=100)
    """

    __slots__ = ("__orm_changes__", "__orm_origin__", "__orm_raw__", "__orm_related__", "__weakref__")

    objects: ClassVar[ObjectsDescriptor] = ObjectsDescriptor()

    if TYPE_CHECKING:
        __info__: ClassVar[ModelInfo]
        __orm_changes__: dict[str, Any] | None
        __orm_origin__: Origin | None
        __orm_raw__: tuple[Any, ...]
        __orm_related__: dict[str, Any] | None

        def __init_subclass__(
            cls,
            *,
            table: str | None = None,
            abstract: bool = False,
            app: str | None = None,
            comment: str | None = None,
            renamed_from: str | None = None,
            retired: bool = False,
            cache: bool | float | None = None,
        ) -> None: ...

    else:

        def __init__(self, **values):
            _info_of(type(self)).cls.__construct__(self, **values)

        def __setattr__(self, name, value):
            try:
                changes = self.__orm_changes__
            except AttributeError:
                raise ModelError(
                    f"{type(self).__name__}.{name} is set before super().__init__()",
                    hint="call super().__init__() first",
                ) from None
            if changes is None or name not in changes:
                if name in type(self).__info__.fields:
                    if changes is None:
                        record_change(self, name)
                    else:
                        # as that does it, by a call less
                        changes[name] = original_of(self, name)
                elif name in ("__orm_origin__", "__orm_changes__", "__orm_related__", "__orm_raw__"):
                    raise ModelError(f"{name} belongs to Cormorant and cannot be set")
            related = self.__orm_related__
            if related is not None:
                forget_related(self, related, name, value)
            set_attribute(self, name, value)

        def __delattr__(self, name):
            raise ModelError(f"{type(self).__name__}.{name} cannot be deleted", hint="set it to None")

        def __reduce_ex__(self, protocol):
            info = type(self).__info__
            values = {name: value_or_missing(self, name) for name in info.fields if is_set(self, name)}
            return (rebuild, (info.cls, values, is_ghost(self), is_persistent(self)))

        def __repr__(self):
            return describe(self)

    def __await__(self) -> Generator[Any, Any, Self]:
        """Loads a reference, and its siblings with it in one query; a loaded object is given back at once."""
        if is_ghost(self):
            origin = self.__orm_origin__
            if origin is None:
                raise SessionNotEntered(
                    f"{self!r} belongs to no session, so it cannot be loaded", hint="use await session.get(Model, key)"
                )
            if not origin.pending:
                yield from origin.owner.load(self).__await__()
        return self

    def to_dict(self, *, relations: bool = False) -> dict[str, Any]:
        """Gives the columns that have a value, by attribute name; never does I/O.

        Args:
            relations: Add the relations that are loaded, as dictionaries of their columns.
        """
        names = type(self).__info__.fields
        result = {name: value_or_missing(self, name) for name in names if is_set(self, name)}
        if relations:
            result.update(_related_dicts(self))
        return result

    def m2m_add(self, name: str, *items: Model) -> Awaitable[None]:
        """Links objects at once; `await session.add_m2m(article, Article.tags, tag)` is the same with types.

        In a sync session it is done on return, and there is nothing to await.

        Args:
            name: A many-to-many relation of this object.
            items: Objects of its other side; new ones are saved.
        """
        return _link("add", self, name, items)

    def m2m_remove(self, name: str, *items: Model) -> Awaitable[None]:
        """Drops links at once; the objects stay.

        Args:
            name: A many-to-many relation of this object.
            items: Objects of its other side.
        """
        return _link("remove", self, name, items)

    def m2m_clear(self, name: str) -> Awaitable[None]:
        """Drops every link of a relation at once; the objects stay.

        Args:
            name: A many-to-many relation of this object.
        """
        return _link("clear", self, name, ())

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        """Yields the model's indexes, unique constraints and checks; override it."""
        return ()


def _link(verb: LinkVerb, instance: Model, name: str, items: tuple[Model, ...]) -> Awaitable[None]:
    info, origin = type(instance).__info__, instance.__orm_origin__
    if name not in info.relation_specs:
        raise info.unknown(name)
    if origin is None:
        raise SessionNotEntered(f"{instance!r} belongs to no session", hint="add it to one first: session.add(obj)")
    return origin.owner.link(verb, instance, info.relation(name), items)


def _related_dicts(instance: Model) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in (instance.__orm_related__ or {}).items():
        if value is None or isinstance(value, Model):
            if value is None or not is_ghost(value):
                result[name] = None if value is None else value.to_dict()
        elif value.is_loaded or value.is_partial:
            result[name] = [item.to_dict() for item in value]
    return result


def rebuild(cls: Any, values: dict[str, Any], ghost: bool, persistent: bool) -> Any:
    """Gives a copy or an unpickled instance: the values, without a session; a row's copy still stands for the row."""
    info: ModelInfo = cls.__info__
    instance = new_ghost(info, values, DETACHED if persistent else None)
    if not ghost:
        set_class(instance, info.cls)
    return instance


def ref(model: type[M], /, *key: Any) -> M:
    """Gives a reference to a row by its key, without a query: an instance with nothing but the key.

    Args:
        model: The model.
        key: The primary key; for a composite key its values in declaration order, or one tuple.

    Example:
        >>> Article(title="Notes", author=ref(Author, 3))
    """
    info = _info_of(model)
    values = key[0] if len(key) == 1 and is_tuple(key[0]) else key
    names = ", ".join(info.key_attributes)
    if len(values) != len(info.key_attributes):
        raise WrongType(
            f"the key of {info.name} has {len(info.key_attributes)} columns, and {len(values)} values were given",
            hint=f"ref({info.name}, {names})",
        )
    for column, value in zip(info.key_columns, values, strict=True):
        if value is None:
            raise WrongType(f"the key of {info.name} is never None", hint=f"ref({info.name}, {names})")
        try:
            column.type.check(value)
        except WrongType as error:
            raise reworded(error, about(f"{info.name}.{column.attribute}", error.message), hint=error.hint) from None
    reference: M = new_ghost(info, dict(zip(info.key_attributes, values, strict=True)), DETACHED)
    return reference


def _info_of(model: Any) -> ModelInfo:
    info = getattr(model, "__info__", None)
    if not isinstance(info, ModelInfo):
        raise ModelError(
            f"{getattr(model, '__name__', model)} is no model with a table",
            hint="derive one from it that is not abstract, and use that",
        )
    return info
