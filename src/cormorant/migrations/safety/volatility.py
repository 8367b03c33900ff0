"""Whether the default of a new column is one value for all rows from before, or one for each of them."""

from __future__ import annotations

from itertools import pairwise

from cormorant.schema import snapshot as s
from cormorant.schema.words import tokens

_FUNCTIONS = """
    abs age array cast ceil ceiling char_length coalesce concat current_schema current_setting date_part
    date_trunc decode encode extract floor format greatest interval json_build_array json_build_object
    jsonb_build_array jsonb_build_object least left length localtimestamp lower make_date make_interval
    make_timestamptz md5 mod now nullif octet_length power repeat replace right round row sign
    statement_timestamp substring timezone to_char to_date to_json to_jsonb to_number to_timestamp
    transaction_timestamp trim trunc upper
"""
"""Functions that PostgreSQL marks as immutable or stable."""

_WORDS = """
    bit char character decimal numeric time timestamp timestamptz timetz varbit varchar varying precision and or
    not in then else when as is any all
"""
"""Words that a parenthesis may follow, and that call nothing."""

_KNOWN = frozenset((_FUNCTIONS + _WORDS).split())


def is_volatile(sql: s.Sql, dialect: str = "postgresql") -> bool:
    """Whether an expression may give another value for each row.

    Functions that are not known count as such, as they do for PostgreSQL unless somebody has declared them otherwise;
    what has no words for that database is never run there.
    """
    said = sql if isinstance(sql, str) else dict(sql.texts).get(dialect, "")
    words = [(kind, text.lower()) for kind, text in tokens(said)]
    return any(
        kind in ("word", "quoted") and after == "(" and word.strip('"') not in _KNOWN
        for (kind, word), (_, after) in pairwise(words)
    )
