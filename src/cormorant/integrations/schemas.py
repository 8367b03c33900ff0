"""Pydantic models derived from models: for what is created, what is changed, what is shown."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Optional, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from typing_extensions import TypeVar

from cormorant.errors import ModelError
from cormorant.integrations.applying import Plan, assigned, built
from cormorant.integrations.asking import Asked, asked
from cormorant.integrations.columns import described, key_type, shown_type, taken_type
from cormorant.integrations.serialising import check_loaded, check_saved
from cormorant.models.collections import is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.schemas import SchemaMode
from cormorant.models.specs import FieldSpec
from cormorant.models.state import MISSING, key_of

M = TypeVar("M", bound=Model)

CONFIG = ConfigDict(
    # limits are those of the flush: Python's regular expressions, classes that pydantic does not know
    regex_engine="python-re",
    arbitrary_types_allowed=True,
    # columns may be called as they like
    protected_namespaces=(),
    serialize_by_alias=True,
)


class Create(BaseModel, Generic[M]):
    """What a new object is made of: `Create[Author]` is `Author.schema("create")`, with a type for checkers.

    Example:
        >>> @app.post("/authors", status_code=201)
        ... async def create(data: Create[Author], session: SessionDep) -> Author:
        ...     author = data.build()
        ...     session.add(author)
        ...     await session.commit()
        ...     return author
    """

    model_config = CONFIG
    __plan__: ClassVar[Plan]

    def build(self, **more: Any) -> M:
        """Gives the new object, which belongs to no session yet; what was not sent has its column's default.

        Args:
            more: What the program knows by itself, and the schema leaves out: `data.build(author=current_author)`.
        """
        made: M = built(self.__plan__, self, more)
        return made

    if not TYPE_CHECKING:

        @classmethod
        def __class_getitem__(cls, model):
            return schema_for(model, "create") if _is_model(model) else super().__class_getitem__(model)


class Patch(BaseModel, Generic[M]):
    """Changes of an object, of which every one may be left out: `Patch[Author]` is `Author.schema("patch")`.

    Example:
        >>> @app.patch("/authors/{id}")
        ... async def change(id: int, data: Patch[Author], session: SessionDep) -> Author:
        ...     author = data.assign(await session.get_one(Author, id))
        ...     await session.commit()
        ...     return author
    """

    model_config = CONFIG
    __plan__: ClassVar[Plan]

    def assign(self, instance: M) -> M:
        """Sets what was sent on an object, and gives it back; what was not sent stays.

        Raises:
            WrongType: It is an object of another model.
            NotLoadedError: A relation is given by keys, and its members are not loaded.
        """
        changed: M = assigned(self.__plan__, self, instance)
        return changed

    def model_dump(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Gives what was sent, unless `exclude_unset=False` asks for all; else as pydantic's own."""
        options.setdefault("exclude_unset", True)
        return super().model_dump(*args, **options)

    if not TYPE_CHECKING:

        @classmethod
        def __class_getitem__(cls, model):
            return schema_for(model, "patch") if _is_model(model) else super().__class_getitem__(model)


class Read(BaseModel, Generic[M]):
    """What is shown of an object: `Read[Author]` is `Author.schema("read")`; made of objects by their attributes."""

    model_config: ClassVar[ConfigDict] = {**CONFIG, "from_attributes": True}
    __plan__: ClassVar[Plan]

    @model_validator(mode="before")
    @classmethod
    def _saved(cls, value: Any) -> Any:
        if isinstance(value, Model):
            # what is raised here goes through as it is; pydantic would make a refusal of what attributes raise
            check_saved(value)
            check_loaded(value, cls.__plan__.columns)
        return value

    if not TYPE_CHECKING:

        @classmethod
        def __class_getitem__(cls, model):
            return schema_for(model, "read") if _is_model(model) else super().__class_getitem__(model)


def _is_model(value: Any) -> bool:
    return isinstance(getattr(value, "__info__", None), ModelInfo)


_BASES: dict[str, type[BaseModel]] = {"create": Create, "patch": Patch, "read": Read}


@lru_cache(maxsize=2000)
def schema_of(question: Asked) -> type[BaseModel]:
    """Gives the pydantic model that was asked for; the same one each time, and one component of OpenAPI."""
    info, base = question.info, _BASES[question.mode]
    columns = {name: _field_name(base, name) for name in question.columns()}
    nested = {name: _field_name(base, name) for name in question.nested}
    keyed = {name: _field_name(base, name) for name in question.keys}
    fields: dict[str, Any] = {at: _column_field(question, name, at) for name, at in columns.items()}
    fields |= {at: _nested_field(question, info.relation(name), at) for name, at in nested.items()}
    fields |= {at: _keyed_field(question, info.relation(name), at) for name, at in keyed.items()}
    made: type[BaseModel] = create_model(
        question.class_name, __base__=base, __module__=info.cls.__module__, __doc__=None, **fields
    )
    cast("Any", made).__plan__ = Plan(info, columns, nested, keyed)
    return made


def schema_for(
    model: type[Model],
    mode: SchemaMode = "read",
    *,
    relations: Iterable[Any] = (),
    keys: Iterable[Any] = (),
    exclude: Iterable[Any] = (),
    sensitive: bool = False,
    name: str | None = None,
) -> type[BaseModel]:
    """Gives what `model.schema(...)` gives, for a model too that has something else of that name.

    Args:
        model: The model.
        mode: What it is for: "create", "patch" or "read".
        relations: Relations that are nested.
        keys: Relations to many objects that are lists of their keys.
        exclude: Columns to leave out.
        sensitive: Show the columns declared `sensitive=True` in "read" too.
        name: The class's name; made of the model's name and the mode otherwise.

    Raises:
        ModelError: The model has no table.
        UnknownName: A column or relation does not exist.
        QueryError: A relation cannot be had in this way.

    Example:
        >>> schema_for(Author, "patch", exclude=["email"])
    """
    if not _is_model(model):
        raise ModelError(f"{model.__name__} has no table, so it has no schema", hint="ask a model that has one")
    options: dict[str, Any] = {"relations": relations, "keys": keys, "exclude": exclude, "sensitive": sensitive}
    return schema_of(asked(model, mode, name=name, **options))


def _field_name(base: type[BaseModel], name: str) -> str:
    """Gives what a field is called inside: what pydantic's own classes have under that name must stay."""
    return f"{name}_" if hasattr(base, name) else name


def _field(default: Any, name: str, at: str, **options: Any) -> Any:
    if at != name:
        options["alias"] = name
        options.setdefault("title", name.replace("_", " ").title())
    return Field(**default, **options)


# what was not sent stays: there is no default to be told of
def _without_default(schema: dict[str, Any]) -> None:
    # FastAPI has taken it out already where the fields are parameters of the address
    schema.pop("default", None)


_ABSENT: dict[str, Any] = {"default": None, "json_schema_extra": _without_default}


def _column_field(question: Asked, name: str, at: str) -> tuple[Any, Any]:
    info, read = question.info, question.mode == "read"
    python = shown_type(info, name) if read else taken_type(info, name)
    default: dict[str, Any] = _ABSENT if question.mode == "patch" else {}
    if question.mode == "create":
        default = _default(info, info.fields[name])
    return python, _field(default, name, at, **described(info, name))


def _default(info: ModelInfo, spec: FieldSpec) -> dict[str, Any]:
    if spec.default_factory is not None:
        return {"default_factory": spec.default_factory}
    if spec.default is not MISSING:
        return {"default": spec.default}
    pointing = info.relation_specs.get(spec.relation or "") if spec.annotation is None else None
    return {"default": None} if pointing is not None and pointing.default is None else {}


def _nested_field(question: Asked, relation: RelationInfo, at: str) -> tuple[Any, Any]:
    inner = schema_of(_inside(question, relation))
    read = question.mode == "read"
    if relation.kind in ("reverse_many", "many_to_many"):
        items = cast("Any", list)[inner]
        python = Annotated[items, BeforeValidator(_items)] if read else items
        return python, _field({} if read else {"default": []}, relation.name, at)
    optional = relation.nullable or relation.kind == "reverse_one"
    default: dict[str, Any] = {} if read or not optional else {"default": None}
    return (Optional[inner] if optional else inner), _field(default, relation.name, at)  # noqa: UP045


def _inside(question: Asked, relation: RelationInfo) -> Asked:
    """Gives the question for what is nested: without the key that says where it belongs, which goes without saying."""
    target, further = relation.target, question.nested[relation.name]
    away = question.mode == "create" and relation.kind in ("reverse_many", "reverse_one")
    if not away:
        return Asked(target, question.mode, further, sensitive=question.sensitive)
    name = f"{question.info.name}{relation.name.title().replace('_', '')}{question.mode.title()}"
    return Asked(target, question.mode, further, exclude=frozenset(relation.remote), name=name)


def _keyed_field(question: Asked, relation: RelationInfo, at: str) -> tuple[Any, Any]:
    info = relation.target
    type_of = shown_type if question.mode == "read" else key_type
    parts = [type_of(info, name) for name in info.key_attributes]
    one: Any = parts[0] if len(parts) == 1 else cast("Any", tuple)[tuple(parts)]
    items = cast("Any", list)[one]
    if question.mode == "read":
        return Annotated[items, BeforeValidator(_keys)], _field({}, relation.name, at)
    return items, _field(_ABSENT if question.mode == "patch" else {"default": []}, relation.name, at)


def _items(value: Any) -> Any:
    return list(value) if is_collection(value) else value


def _keys(value: Any) -> Any:
    return [key_of(item) for item in value] if is_collection(value) else value
