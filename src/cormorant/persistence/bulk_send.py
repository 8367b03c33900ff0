"""Sends groups of rows on one connection: COPY, arrays in one statement, or one statement for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NoReturn

from cormorant.adapters.base import Connection, CopyConnection, Row
from cormorant.database import Database
from cormorant.dialects.base import Codec
from cormorant.errors import FlushError
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.scopes import Scopes
from cormorant.models.validation import stamped_columns
from cormorant.observability.performance import PerformanceTracker
from cormorant.observability.shapes import Caller
from cormorant.persistence.bulk_rows import Group, key_values
from cormorant.persistence.pairing import in_order
from cormorant.persistence.sending import fetch_each, insert_each, write_all
from cormorant.query import prefetch
from cormorant.query.bulk import Conflict, with_stamps, with_version
from cormorant.query.prepared import PreparedWrite
from cormorant.sql import types as t
from cormorant.sql.columns import Assignment
from cormorant.sql.excluded import excluded
from cormorant.sql.statements import Insert, InsertMode, Upsert

COPY_FROM = 1_000
"""From so many rows of which nothing comes back, PostgreSQL takes them by COPY."""


class BulkSender:
    """Sends rows of one model; touches no object.

    Args:
        connection: Where they go, in a transaction.
        scopes: The default scopes: rows that they hide are not changed.
        caller: Whose code has them sent.
    """

    def __init__(
        self,
        database: Database,
        connection: Connection,
        tracker: PerformanceTracker,
        info: ModelInfo,
        scopes: Scopes | None,
        caller: Caller | None,
    ) -> None:
        self.database = database
        self.connection = connection
        self.tracker = tracker
        self.info = info
        self.scopes = scopes
        self.caller = caller

    # ---- inserts

    async def insert(self, group: Group) -> int:
        """Inserts rows and gives their number."""
        connection = self.connection
        if isinstance(connection, CopyConnection) and len(group.batch.rows) >= COPY_FROM and _can_be_copied(group):
            return await self._copy(connection, group)
        batches = self.database.dialect.supports_array_binds and bool(group.columns)
        statement = _insert(self.info, group.shape.columns, (), "by_key" if batches else "row")
        prepared = self.database.prepare_write(statement)
        if batches:
            return await self._execute(prepared, self._arrays(prepared, group))
        return await write_all(self, prepared, self._sent(prepared, group))

    async def insert_returning(self, group: Group, wanted: Sequence[ColumnInfo]) -> list[Row]:
        """Inserts rows and gives columns of each, in order, as the driver has them.

        Raises:
            FlushError: A row did not come back.
        """
        if not wanted:
            await self.insert(group)
            return [()] * len(group.batch.rows)
        mode = self._mode(group)
        # what sorts the rows comes back too
        sorting = [key for key in self.info.key_columns if mode == "ascending" and key not in wanted]
        statement = _insert(self.info, group.shape.columns, (*wanted, *sorting), mode)
        prepared = self.database.prepare_write(statement)
        if mode == "row":
            made = await insert_each(self, statement, prepared, wanted, self._sent(prepared, group))
            return made if all(made) else self._refuse_dropped()
        found = await self._fetch(prepared, self._arrays(prepared, group), len(group.batch.rows))
        rows = in_order(statement, prepared, self.info, _rows(group.columns), found)
        return [tuple(row)[: len(wanted)] for row in rows] if sorting else rows

    def _mode(self, group: Group) -> InsertMode:
        if not group.columns:
            return "row"
        given = {column.attribute for column in group.shape.columns}
        keys = self.info.key_columns
        dialect, version = self.database.dialect, self.database.adapter.server_version
        ascending = len(keys) == 1 and keys[0].identity
        return dialect.insert_mode(version, key_given=self.info.key_set <= given, ascending=ascending)

    def _refuse_dropped(self) -> NoReturn:
        raise FlushError(
            f"a row was inserted into {self.info.table!r} and did not come back", hint="a trigger drops it"
        )

    async def _copy(self, connection: CopyConnection, group: Group) -> int:
        encoders = [self.database.dialect.encoder(column.type) for column in group.shape.columns]
        columns = self._columns(encoders, group, _encoded)
        names = [column.name for column in group.shape.columns]
        database, tracker, table, start = self.database, self.tracker, self.info.table, perf_counter()
        sql = f"COPY {database.dialect.quote(table)} ({', '.join(map(database.dialect.quote, names))}) FROM STDIN"
        if tracker.budget is not None:
            tracker.budget.count(sql)
        try:
            count = await connection.copy_rows(table, names, _rows(columns))
        except BaseException as error:
            database.record(tracker, sql, 0, start, (), self.caller, error)
            raise
        database.record(tracker, sql, count, start, (), self.caller)
        return count

    async def write_returning(
        self, group: Group, conflict: Conflict | None, wanted: Sequence[ColumnInfo]
    ) -> list[Row | None]:
        """Inserts rows, or upserts them, and gives columns of each, in order; None where it was left alone."""
        if conflict is None:
            return [*await self.insert_returning(group, wanted)]
        return await self.upsert_returning(group, conflict, wanted)

    # ---- upserts

    async def upsert(self, group: Group, conflict: Conflict) -> int:
        """Inserts rows or changes those that are there, and gives the number of both."""
        batches = self.database.dialect.supports_array_binds
        returning = () if batches else conflict.on[:1]
        statement = upsert_statement(self.info, group, conflict, returning)
        prepared = self.database.prepare_write(statement, self.scopes)
        if batches:
            return await self._execute(prepared, self._arrays(prepared, group, statement))
        return sum(map(len, await self._each(prepared, group, statement)))

    async def upsert_returning(
        self, group: Group, conflict: Conflict, wanted: Sequence[ColumnInfo]
    ) -> list[Row | None]:
        """Inserts rows or changes those that are there, and gives columns of each; None where it was left alone.

        Raises:
            FlushError: A row came back that was not sent.
        """
        batches = self.database.dialect.supports_array_binds
        matching = conflict.on if batches else ()
        # a row that gives nothing back tells nothing about whether it was written
        statement = upsert_statement(self.info, group, conflict, (*matching, *(wanted or conflict.on[:1])))
        prepared = self.database.prepare_write(statement, self.scopes)
        if not batches:
            return [run[0] if run else None for run in await self._each(prepared, group, statement)]
        arrays = self._arrays(prepared, group, statement)
        found = await self._fetch(prepared, arrays, len(group.batch.rows))
        return self._matched(group, conflict, found)

    async def existing(self, group: Group, conflict: Conflict, places: Sequence[int]) -> dict[int, Row]:
        """Gives the rows that an upsert left alone, by their place in the group, as a query of objects selects them."""
        info = self.info
        names = [column.attribute for column in group.shape.columns]
        on = [names.index(column.attribute) for column in conflict.on]
        sent = [[group.columns[at][place] for place in places] for at in on]
        keys = _rows(sent) if len(on) > 1 else sent[0]
        columns = [info.column(column.attribute) for column in conflict.on]
        found: list[Row] = []
        for chunk in prefetch.chunks(keys, len(on)):
            spec = prefetch.by_keys(info, columns, chunk).changed((), (), scopes=self.scopes, lifted=conflict.lifted)
            prepared = self.database.prepare(spec)
            args = prepared.arguments(spec)
            found += await self.database.fetch(self.connection, self.tracker, prepared.sql, args, caller=self.caller)
        fields = list(info.fields)
        found_on = [[row[fields.index(column.attribute)] for column in conflict.on] for row in found]
        by_key = dict(zip(self._keys(conflict, found_on), found, strict=True))
        told = key_values([column.type for column in conflict.on], sent)
        return {place: by_key[key] for place, key in zip(places, told, strict=True) if key in by_key}

    def _matched(self, group: Group, conflict: Conflict, found: Sequence[Row]) -> list[Row | None]:
        width, on = len(conflict.on), [column.attribute for column in conflict.on]
        names = [column.attribute for column in group.shape.columns]
        sent = key_values([column.type for column in conflict.on], [group.columns[names.index(name)] for name in on])
        by_key = dict(zip(self._keys(conflict, found), found, strict=True))
        told = set(sent)
        strangers = [key for key in by_key if key not in told]
        if strangers:
            raise FlushError(
                f"upsert() into {self.info.table!r} gave back a row that was not sent: {strangers[0]!r}",
                hint="the database finds values equal that Python does not, or a trigger changes them",
            )
        rows = [by_key.get(key) if key is not None else None for key in sent]
        return [None if row is None else tuple(row)[width:] for row in rows]

    def _keys(self, conflict: Conflict, found: Sequence[Sequence[Any]]) -> list[Any]:
        types = [t.base_of(column.type) for column in conflict.on]
        decoders = map(self.database.dialect.returned_decoder, types)
        columns = [_decoded(decode, [row[place] for row in found]) for place, decode in enumerate(decoders)]
        return key_values(types, columns)

    # ---- the wire

    async def _each(self, prepared: PreparedWrite, group: Group, statement: Upsert) -> list[Sequence[Row]]:
        return await fetch_each(self, prepared, self._sent(prepared, group, statement))

    def _sent(self, prepared: PreparedWrite, group: Group, statement: Upsert | None = None) -> Sequence[Sequence[Any]]:
        """Gives the parameters of each row: the statement's own values, the row's, the values of scopes."""
        first = [] if statement is None else prepared.first(statement)
        last = prepared.last(self.scopes)
        columns = self._columns(prepared.encoders[len(first) :], group, _encoded)
        values = _rows(columns) if columns else [()] * len(group.batch.rows)
        return [(*first, *row, *last) for row in values] if first or last else values

    def _arrays(self, prepared: PreparedWrite, group: Group, statement: Upsert | None = None) -> list[Any]:
        """Gives the parameters: the statement's own values, an array for each column, the values of scopes."""
        first = [] if statement is None else prepared.first(statement)
        texts = self.database.dialect.encoder(t.Batch(t.TEXT))
        arrays = self._columns(prepared.encoders[len(first) :], group, _as_array, texts)
        return [*first, *arrays, *prepared.last(self.scopes)]

    def _columns(
        self,
        encoders: Sequence[Codec | None],
        group: Group,
        encoded: Callable[[Codec | None, list[Any]], Any],
        written: Codec | None = None,
    ) -> list[Any]:
        """Gives the columns as the driver takes them; of documents the texts that were made to check them.

        `written` is the encoder of such texts.
        """
        found: list[Any] = []
        for place, (encode, values) in enumerate(zip(encoders, group.columns, strict=False)):
            type_ = group.shape.columns[place].type
            known = group.texts.get(place) if isinstance(type_, t.Json) else None
            # a dialect may send documents in a way of its own
            is_text = known is not None and self.database.dialect.encoder(type_) == getattr(type_, "dump", None)
            if is_text and known is not None:
                encode, values = written, known
            found.append(encoded(encode, values))
        return found

    async def _execute(self, prepared: PreparedWrite, arguments: Sequence[Any]) -> int:
        return await self.database.execute(self.connection, self.tracker, prepared.sql, arguments, self.caller)

    async def _fetch(self, prepared: PreparedWrite, arguments: Sequence[Any], written: int) -> Sequence[Row]:
        return await self.database.fetch(
            self.connection, self.tracker, prepared.sql, arguments, written=written, caller=self.caller
        )


# ------------------------------------------------------------------ statements


def _insert(info: ModelInfo, columns: Sequence[ColumnInfo], wanted: Sequence[ColumnInfo], mode: InsertMode) -> Insert:
    keys = info.key_columns if mode == "by_key" and wanted else ()
    return Insert(
        table=info.table,
        columns=tuple(column.typed for column in columns),
        returning=tuple(column.typed for column in (*keys, *wanted)),
        mode=mode,
    )


def upsert_statement(info: ModelInfo, group: Group, conflict: Conflict, returning: Sequence[ColumnInfo]) -> Upsert:
    """Gives the statement of one group."""
    assignments = conflict.assignments
    if assignments is None:
        # an object has such a value from the time when it was made or loaded
        stale = {column.attribute for column in stamped_columns(info)} if group.batch.instances else set[str]()
        assignments = _new_values(info, [name for name in group.shape.given if name not in stale], conflict)
    return Upsert(
        source=info.source,
        table=info.table,
        columns=tuple(column.typed for column in group.shape.columns),
        on=tuple(column.name for column in conflict.on),
        on_where=conflict.index_where,
        assignments=with_version(info, with_stamps(info, assignments)),
        where=conflict.where,
        returning=tuple(column.typed for column in returning),
        lifted=conflict.lifted,
    )


def _new_values(info: ModelInfo, given: Sequence[str], conflict: Conflict) -> tuple[Assignment, ...]:
    """Gives what makes every given column the new row's, but for what tells the row from others."""
    kept = {*info.key_attributes, *(column.attribute for column in conflict.on)}
    if info.version_column is not None:
        kept.add(info.version_column.attribute)
    nodes = (info.column(name) for name in given if name not in kept)
    return tuple(Assignment(node, excluded(node)) for node in nodes)


# ------------------------------------------------------------------ values


def _as_array(encode: Codec | None, values: list[Any]) -> Any:
    return values if encode is None else encode(values)


def _encoded(encode: Codec | None, values: list[Any]) -> list[Any]:
    return values if encode is None else [None if value is None else encode(value) for value in values]


_decoded = _encoded


def _rows(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _can_be_copied(group: Group) -> bool:
    # a list of lists travels as text where it is a parameter, and could not do so by COPY
    return bool(group.columns) and not any(_is_list_of_lists(column.type) for column in group.shape.columns)


def _is_list_of_lists(type_: t.SqlType) -> bool:
    return isinstance(type_, t.Array) and isinstance(t.base_of(type_.item), t.Array)
