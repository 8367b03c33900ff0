"""CREATE TABLE and CREATE INDEX as SQLite keeps them: what its pragmas do not tell is read from their text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from cormorant.schema import snapshot as s
from cormorant.schema.words import TOKEN, unquoted

_CONSTRAINTS = frozenset({"constraint", "primary", "unique", "check", "foreign"})
_ACTIONS: dict[str, s.Action] = {
    "cascade": "cascade",
    "restrict": "restrict",
    "set null": "set_null",
    "set default": "set_default",
    "no action": "no_action",
}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of SQL and where it stands."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


@dataclass(slots=True)
class ReadColumn:
    """What the text says of a column."""

    name: str
    type: str = ""
    collation: str | None = None
    default: str | None = None
    computed: str | None = None
    key: bool = False
    autoincrement: bool = False
    not_null: bool = False


@dataclass(slots=True)
class ReadTable:
    """What the text says of a table."""

    columns: list[ReadColumn] = field(default_factory=list[ReadColumn])
    primary_key: s.PrimaryKey | None = None
    foreign_keys: list[s.ForeignKey] = field(default_factory=list[s.ForeignKey])
    uniques: list[s.Unique] = field(default_factory=list[s.Unique])
    checks: list[s.Check] = field(default_factory=list[s.Check])
    options: str | None = None


def words_of(sql: str) -> list[Word]:
    """Gives the words and signs of a text."""
    return [
        Word(match[0], match.start(), match.end())
        for match in TOKEN.finditer(sql)
        if match.lastgroup not in ("space", "comment")
    ]


class Reader:
    """Reads words one after the other.

    Args:
        sql: The text.
        words: Its words.
    """

    def __init__(self, sql: str, words: Sequence[Word]) -> None:
        self.sql: str = sql
        self.words: Sequence[Word] = words
        self.place: int = 0

    @property
    def lower(self) -> str:
        """The next word, in lower case; "" at the end."""
        return self.words[self.place].lower if self.place < len(self.words) else ""

    def take(self) -> Word:
        """Gives the next word and goes on."""
        word = self.words[self.place]
        self.place += 1
        return word

    def skip(self, *words: str) -> bool:
        """Goes past these words, if they are the next."""
        found = [word.lower for word in self.words[self.place : self.place + len(words)]]
        if found != list(words):
            return False
        self.place += len(words)
        return True

    def parenthesised(self) -> str:
        """Gives the text between the parentheses that come next."""
        start = self.place
        depth = 0
        while self.place < len(self.words):
            text = self.take().text
            depth += (text == "(") - (text == ")")
            if depth == 0:
                break
        return self.sql[self.words[start].end : self.words[self.place - 1].start].strip()

    def names(self) -> tuple[str, ...]:
        """Gives the names between the parentheses that come next."""
        inside = self.parenthesised()
        return tuple(unquoted(part[0].text) for part in parts(words_of(inside)))


def parts(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Gives what stands between the commas."""
    depth = 0
    current: list[Word] = []
    for word in words:
        depth += (word.text == "(") - (word.text == ")")
        if word.text == "," and depth == 0:
            yield current
            current = []
        else:
            current.append(word)
    if current:
        yield current


def read_table(sql: str) -> ReadTable:
    """Gives what a CREATE TABLE says."""
    words = words_of(sql)
    first = next((place for place, word in enumerate(words) if word.text == "("), None)
    table = ReadTable()
    if first is None:
        return table
    reader = Reader(sql, words)
    reader.place = first
    reader.parenthesised()
    table.options = sql[words[reader.place - 1].end :].strip() or None
    for part in parts(words[first + 1 : reader.place - 1]):
        reader = Reader(sql, part)
        if reader.lower in _CONSTRAINTS:
            _table_constraint(reader, table)
        else:
            _column(reader, table)
    return table


def _table_constraint(reader: Reader, table: ReadTable) -> None:
    name = unquoted(reader.take().text) if reader.skip("constraint") else ""
    if reader.skip("primary", "key"):
        table.primary_key = s.PrimaryKey(reader.names(), name)
    elif reader.skip("unique"):
        table.uniques.append(s.Unique(name, reader.names()))
    elif reader.skip("check"):
        table.checks.append(s.Check(name, reader.parenthesised()))
    elif reader.skip("foreign", "key"):
        columns = reader.names()
        reader.skip("references")
        table.foreign_keys.append(_references(reader, name, columns))


def _references(reader: Reader, name: str, columns: tuple[str, ...]) -> s.ForeignKey:
    target = unquoted(reader.take().text)
    targets = reader.names() if reader.lower == "(" else ()
    key = s.ForeignKey(name, columns, target, targets)
    while reader.lower:
        if reader.skip("on", "delete"):
            key = replace(key, on_delete=_action(reader))
        elif reader.skip("on", "update"):
            key = replace(key, on_update=_action(reader))
        elif reader.skip("not", "deferrable"):
            reader.skip("initially", "immediate")
        elif reader.skip("deferrable"):
            deferred = reader.skip("initially", "deferred")
            reader.skip("initially", "immediate")
            key = replace(key, deferrable="deferred" if deferred else "immediate")
        elif reader.skip("match"):
            reader.take()
        else:
            break
    return key


def _action(reader: Reader) -> s.Action:
    word = reader.take().lower
    return _ACTIONS[f"{word} {reader.take().lower}" if word in ("set", "no") else word]


def _column(reader: Reader, table: ReadTable) -> None:
    column = ReadColumn(unquoted(reader.take().text))
    table.columns.append(column)
    column.type = _type(reader)
    name = ""
    while reader.lower:
        if reader.skip("constraint"):
            name = unquoted(reader.take().text)
            continue
        if not (_of_values(reader, column) or _of_constraint(reader, table, column, name)):
            reader.take()
        name = ""


_ENDS_TYPE = _CONSTRAINTS | {"not", "null", "default", "collate", "references", "generated", "as", "on"}


def _type(reader: Reader) -> str:
    start = reader.place
    while reader.lower and reader.lower not in _ENDS_TYPE:
        if reader.lower == "(":
            reader.parenthesised()
        else:
            reader.take()
    if reader.place == start:
        return ""
    return reader.sql[reader.words[start].start : reader.words[reader.place - 1].end]


def _of_values(reader: Reader, column: ReadColumn) -> bool:
    """Reads what a column says of its values."""
    if reader.skip("not", "null"):
        column.not_null = True
    elif reader.skip("collate"):
        column.collation = unquoted(reader.take().text)
    elif reader.skip("default"):
        column.default = _default(reader)
    elif reader.skip("generated", "always", "as") or reader.skip("as"):
        column.computed = reader.parenthesised()
    else:
        return False
    return True


def _default(reader: Reader) -> str:
    if reader.lower == "(":
        return f"({reader.parenthesised()})"
    start = reader.take()
    if start.text in "+-":
        start = replace(start, end=reader.take().end)
    return reader.sql[start.start : start.end]


def _of_constraint(reader: Reader, table: ReadTable, column: ReadColumn, name: str) -> bool:
    """Reads a constraint that stands with its column."""
    if reader.skip("primary", "key"):
        column.key = True
        table.primary_key = s.PrimaryKey((column.name,), name)
    elif reader.skip("autoincrement"):
        column.autoincrement = True
    elif reader.skip("unique"):
        table.uniques.append(s.Unique(name, (column.name,)))
    elif reader.skip("check"):
        table.checks.append(s.Check(name, reader.parenthesised()))
    elif reader.skip("references"):
        table.foreign_keys.append(_references(reader, name, (column.name,)))
    else:
        return False
    return True


def read_index(sql: str) -> s.Index:
    """Gives what a CREATE INDEX says."""
    words = words_of(sql)
    unique = words[1].lower == "unique"
    opens = next(place for place, word in enumerate(words) if word.text == "(")
    # the name stands two words, or with a schema four, before the table's
    named = next(place for place in range(opens) if words[place].lower == "on")
    reader = Reader(sql, words)
    reader.place = opens
    reader.parenthesised()
    inside = words[opens + 1 : reader.place - 1]
    where = sql[words[reader.place].end :].strip() if reader.lower == "where" else None
    return s.Index(
        unquoted(words[named - 1].text),
        tuple(_item(sql, part) for part in parts(inside)),
        unique=unique,
        where=where,
    )


def _item(sql: str, words: list[Word]) -> s.IndexItem:
    descending = words[-1].lower == "desc"
    if words[-1].lower in ("asc", "desc"):
        words = words[:-1]
    collation = None
    if len(words) > 2 and words[-2].lower == "collate":
        collation, words = unquoted(words[-1].text), words[:-2]
    if len(words) == 1:
        return s.IndexItem(unquoted(words[0].text), descending=descending, collation=collation)
    expression = sql[words[0].start : words[-1].end]
    if words[0].text == "(" and words[-1].text == ")":
        expression = expression[1:-1].strip()
    return s.IndexItem(expression=expression, descending=descending, collation=collation)
