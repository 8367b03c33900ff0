"""What a model's class answers when it is asked for a schema: how one is made is known by a room above."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from cormorant.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel, GetCoreSchemaHandler
    from pydantic_core import CoreSchema

SchemaMode: TypeAlias = Literal["create", "patch", "read"]
"""What a schema is for: a new object, changes of one, or what is shown of it."""


class Schemas(Protocol):
    """What the room that knows pydantic makes of models."""

    def core_schema(self, model: Any, handler: Any, /) -> Any:
        """Gives how pydantic reads and shows a model's objects."""
        ...

    def page_schema(self, source: Any, handler: Any, /) -> Any:
        """Gives how pydantic shows a page of rows."""
        ...

    def schema(self, model: Any, mode: SchemaMode, /, **options: Any) -> type[BaseModel]:
        """Gives the pydantic model of a model."""
        ...


class SchemaSource:
    """Where schemas come from; filled by the package, so that nobody loads pydantic who needs none."""

    load: ClassVar[staticmethod[[], Schemas] | None] = None


def schemas() -> Schemas:
    """Gives what makes schemas.

    Raises:
        ConfigurationError: Only a part of the package was imported.
    """
    load: Callable[[], Schemas] | None = SchemaSource.load
    if load is None:
        raise ConfigurationError("nothing makes schemas yet", hint="import cormorant, not one of its modules alone")
    return load()


class SchemaMeta(type):
    """Answers `Author.schema(...)`, and pydantic's question for it.

    These are methods of the metaclass: objects do not have them, and a column or a method of the same name in the class
    body is found before them.
    """

    def schema(
        cls,
        mode: SchemaMode = "read",
        *,
        relations: Iterable[Any] = (),
        keys: Iterable[Any] = (),
        exclude: Iterable[Any] = (),
        sensitive: bool = False,
        name: str | None = None,
    ) -> type[BaseModel]:
        """Gives a pydantic model derived from the declaration; the same one for the same question.

        "create" has what the constructor takes, with the limits that `field()` declares: nothing that the database
        makes. "patch" has the same, without the key; all of it may be left out. "read" has every column but the
        sensitive ones. A relation to one object is there by its key columns.

        Args:
            mode: What it is for.
            relations: Relations that are nested, `Article.author` or "author", and `Article.author.country` inside.
            keys: Relations to many objects that are lists of their keys.
            exclude: Columns to leave out, `Author.email` or "email".
            sensitive: Show the columns declared `sensitive=True` in "read" too.
            name: The class's name; made of the model's name and the mode otherwise: AuthorCreate.

        Raises:
            UnknownName: A column or relation does not exist.
            QueryError: A relation cannot be had in this way.

        Example:
            >>> AuthorPatch = Author.schema("patch")
            >>> AuthorPatch(name="Ada").model_dump()
            {'name': 'Ada'}
        """
        options: dict[str, Any] = {"relations": relations, "keys": keys, "exclude": exclude, "sensitive": sensitive}
        return schemas().schema(cls, mode, name=name, **options)

    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        found: CoreSchema = schemas().core_schema(cls, handler)
        return found
