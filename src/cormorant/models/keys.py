"""Primary keys that somebody has given."""

from __future__ import annotations

from typing import Any

from cormorant._internal.narrowing import is_tuple
from cormorant._internal.secrets import about
from cormorant.errors import WrongType, reworded
from cormorant.models.describing import shown_key
from cormorant.models.metadata import ModelInfo


def checked_key(info: ModelInfo, key: Any) -> Any:
    """Gives a primary key that fits its columns.

    Raises:
        WrongType: It does not.
    """
    columns = info.key_columns
    # by far the most keys are one value of just the class that it is to be
    if len(columns) == 1 and type(key) is columns[0].type.accepts[0]:
        try:
            columns[0].type.check(key)
        except WrongType as error:
            raise reworded(error, about(f"{info.name}.{columns[0].attribute}", error.message)) from None
        return key
    values = key if len(columns) > 1 else (key,)
    if not is_tuple(values) or len(values) != len(info.key_attributes):
        names = ", ".join(info.key_attributes)
        raise WrongType(f"the key of {info.name} is a tuple ({names}), not {shown_key(info, key)}")
    for column, value in zip(info.key_columns, values, strict=True):
        try:
            column.type.check(value)
        except WrongType as error:
            raise reworded(error, about(f"{info.name}.{column.attribute}", error.message)) from None
        if value is None:
            raise WrongType(f"{info.name}.{column.attribute} is never None", hint="look whether there is a key first")
    return key
