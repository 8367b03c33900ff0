"""How pydantic reads and shows objects of models: `response_model=Author`, `Annotated[Author, Body()]`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, ClassVar, get_args

from pydantic import GetJsonSchemaHandler
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import CoreSchema
from pydantic_core import core_schema as cs

from cormorant.errors import ModelError
from cormorant.integrations.columns import taken_type
from cormorant.integrations.schemas import schema_for
from cormorant.integrations.serialising import dumper_of, shown_columns
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.query.page import Page, is_page


def core_schema(model: Any, handler: Any) -> CoreSchema:
    """Gives how pydantic takes and shows a model's objects.

    Objects pass as they are; what a client sends becomes a new object, by way of `Author.schema("create")`. Shown are
    the columns, and the relations that are loaded. So the components of OpenAPI are called Author and AuthorCreate.
    """
    info = getattr(model, "__info__", None)
    if not isinstance(info, ModelInfo):
        raise ModelError(f"{model.__name__} has no table, so pydantic cannot read it", hint="name a model that has one")
    passing: Any = Passing(info)
    found: CoreSchema = handler.generate_schema(Annotated[Any, passing])
    return found


class Passing:
    """What pydantic is told of a model's objects: an annotation, which may say something else to each direction.

    Args:
        info: The model.
    """

    def __init__(self, info: ModelInfo) -> None:
        self._info = info
        self._model: type[Model] = info.cls
        self._create: Any = schema_for(info.cls, "create")

    def taken(self, value: Any) -> Any:
        """Gives an object as it is, and a new one of what a client has sent."""
        return value if isinstance(value, self._model) else self._create.model_validate(value).build()

    def __get_pydantic_core_schema__(self, source: object, handler: Any) -> CoreSchema:
        # every shape is known to pydantic by then, because they name each other
        shapes = {each.path: handler.generate_schema(shape_of(each)) for each in _reachable(self._info)}
        shown = cs.plain_serializer_function_ser_schema(
            dumper_of(self._info), info_arg=True, return_schema=shapes[self._info.path]
        )
        return cs.no_info_plain_validator_function(self.taken, serialization=shown)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if handler.mode == "serialization":
            # a response has no use for what is sent, and for a component of it
            return handler(schema)
        # what is inside of something else is named by its component
        return handler(cs.no_info_before_validator_function(self.taken, self._create.__pydantic_core_schema__))


def _ref(info: ModelInfo) -> str:
    # pydantic makes the component's name of it, and tells classes of one name apart by the number; the model's own
    # number would stand for the model
    return f"{info.cls.__module__}.{info.cls.__qualname__}:{id(shape_of(info))}"


def _reachable(info: ModelInfo) -> list[ModelInfo]:
    """Gives a model, and those that its relations lead to."""
    found, waiting = {info.path: info}, [info]
    while waiting:
        for relation in waiting.pop().relations.values():
            if relation.target.path not in found:
                found[relation.target.path] = relation.target
                waiting.append(relation.target)
    return list(found.values())


class Shape:
    """What pydantic knows of a model's dictionaries; a class for each model."""

    info: ClassVar[ModelInfo]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any) -> CoreSchema:
        info = cls.info
        fields = {name: cs.typed_dict_field(_column(info, name, handler)) for name in shown_columns(info)}
        fields |= {name: cs.typed_dict_field(schema, required=False) for name, schema in _relations(info)}
        config = cs.CoreConfig(regex_engine="python-re")
        return cs.typed_dict_schema(fields, cls=info.cls, ref=_ref(info), config=config)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if handler.mode == "validation":
            # nothing is taken in this shape: described twice, it would be Author-Input and Author-Output in OpenAPI
            raise PydanticInvalidForJsonSchema(f"{cls.__name__} is only shown")
        return handler(schema)


@lru_cache(maxsize=2000)
def shape_of(info: ModelInfo) -> type[Shape]:
    """Gives the class that stands for the dictionaries of a model's objects."""
    return type(f"{info.name}Shape", (Shape,), {"info": info})


def _column(info: ModelInfo, name: str, handler: Any) -> CoreSchema:
    found: CoreSchema = handler.generate_schema(taken_type(info, name))
    return found


def _relations(info: ModelInfo) -> Iterator[tuple[str, CoreSchema]]:
    for name, relation in info.relations.items():
        yield name, _related(relation)


def _related(relation: RelationInfo) -> CoreSchema:
    target = cs.definition_reference_schema(_ref(relation.target))
    if relation.kind in ("reverse_many", "many_to_many"):
        return cs.list_schema(target)
    return cs.nullable_schema(target) if relation.nullable or relation.kind == "reverse_one" else target


def page_schema(source: Any, handler: Any) -> CoreSchema:
    """Gives how pydantic shows a page: its items, and the cursors of those before and behind it."""
    arguments = get_args(source)
    shown: Any = arguments[0] if arguments else Any
    items = cs.list_schema(handler.generate_schema(shown))
    name = getattr(arguments[0], "__name__", None) if arguments else None
    cursor = cs.typed_dict_field(cs.nullable_schema(cs.str_schema()))
    shape = cs.typed_dict_schema(
        {"items": cs.typed_dict_field(items), "next": cursor, "previous": cursor},
        cls=type(f"{name or ''}Page", (), {"__module__": __name__}),
        ref=f"{__name__}.{name or ''}Page:{id(arguments[0]) if arguments else 0}",
    )
    show = cs.plain_serializer_function_ser_schema(_shown_page, return_schema=shape)
    return cs.no_info_wrap_validator_function(_checked_page, items, serialization=show)


def _checked_page(page: Any, handler: Any) -> Page[Any]:
    if not is_page(page):
        raise ValueError("is no Page, which is what query.page(size) gives")
    return Page(handler(page.items), next=page.next, previous=page.previous)


def _shown_page(page: Page[Any]) -> dict[str, Any]:
    return {"items": page.items, "next": page.next, "previous": page.previous}
