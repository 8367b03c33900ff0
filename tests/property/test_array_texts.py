"""What PostgreSQL reads from the text of an array is what it is given by the driver's own arrays."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cormorant.adapters.postgresql import PostgresAdapter
from cormorant.dialects.postgresql_arrays import array_writer
from cormorant.errors import WrongType
from cormorant.sql import types as t

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))

OFFSETS = st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23))

VALUES: dict[t.SqlType, st.SearchStrategy[Any]] = {
    t.TEXT: TEXTS | st.text(st.sampled_from('",\\{}NUL \n'), max_size=4),
    t.Integer("small"): st.integers(-(1 << 15), (1 << 15) - 1),
    t.BIG_INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    t.FLOAT: st.floats(allow_nan=False),
    t.NUMERIC: st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    t.BOOLEAN: st.booleans(),
    t.DATE: st.dates(),
    t.TIME: st.times(),
    t.DATETIME: st.datetimes(timezones=st.timezones() | st.builds(dt.timezone, OFFSETS)),
    t.UUID: st.uuids(),
}


@pytest.mark.postgresql
def test_the_server_reads_the_same_values(postgres_database: str) -> None:
    adapter = PostgresAdapter(postgres_database)
    with asyncio.Runner() as runner:
        connection = runner.run(adapter.acquire())

        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def check(data: st.DataObject) -> None:
            type_ = data.draw(st.sampled_from(list(VALUES)))
            values = data.draw(st.lists(VALUES[type_] | st.none(), min_size=1, max_size=6))
            for value in values:
                try:
                    type_.check(value)
                except WrongType:
                    return
            write, name = array_writer(type_), adapter.dialect.cast_name(type_)
            assert write is not None
            sql = f"SELECT $1::text::{name}[], $2::{name}[], $1::text::{name}[]::text = $2::{name}[]::text"
            ((read, given_, same),) = runner.run(connection.fetch(sql, [write(values), values]))
            assert read == given_
            assert same

        try:
            check()
        finally:
            adapter.release(connection)
            runner.run(adapter.close())
