"""No annotation could be read on Python 3.12 and 3.13: what imports in C needs `__import__` among the builtins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cormorant import Mapped, Model, generated


class Dated(Model, table="annotations_that_import"):
    id: Mapped[int] = generated(primary_key=True)
    # imports on every version of Python
    name: Mapped[Annotated[str, datetime.strptime("2020", "%Y")]]


def test_what_imports_may_stand_in_annotations() -> None:
    assert [column.name for column in Dated.__info__.columns] == ["id", "name"]
