"""Models for pydantic: as fields, as responses, and as schemas derived from them.

`Author.schema("create")` gives a pydantic model; `Create[Author]`, `Patch[Author]` and `Read[Author]` are the same ones
with types that checkers understand.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import CoreSchema

from cormorant.integrations.core import core_schema, page_schema
from cormorant.integrations.schemas import Create, Patch, Read, schema_for
from cormorant.models.schemas import SchemaMode

__all__ = ["Create", "Patch", "Read", "schema_for"]


class PydanticSchemas:
    """What models ask for when they are asked for a schema."""

    def core_schema(self, model: Any, handler: Any, /) -> CoreSchema:
        """Gives how pydantic reads and shows a model's objects."""
        return core_schema(model, handler)

    def page_schema(self, source: Any, handler: Any, /) -> CoreSchema:
        """Gives how pydantic shows a page of rows."""
        return page_schema(source, handler)

    def schema(self, model: Any, mode: SchemaMode, /, **options: Any) -> type[BaseModel]:
        """Gives the pydantic model of a model."""
        return schema_for(model, mode, **options)


SCHEMAS: Final = PydanticSchemas()
"""What `import cormorant` has models use."""
