"""How SQLite turns the values of a column into those of another type: as PostgreSQL's casts do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from cormorant.schema import column_types as types

_MOMENTS = frozenset({"timestamptz", "timestamp"})
_FLOATS = frozenset({"double precision", "real"})
_WHOLE = ("smallint", "integer", "bigint")
_TEXTS = frozenset({"text", "varchar"})
# their texts are not what SQLite keeps of them
_REWORDED = frozenset({"boolean", "bytea", "time", "timestamptz", "interval", *_FLOATS})
_KNOWN = frozenset(
    {"text", "varchar", "numeric", "boolean", "bytea", "date", "time", "timestamptz", "interval", "uuid", "jsonb"}
    | {"json", *_FLOATS, *_WHOLE}
)
# of a column whose type is said in SQLite's own words
_MEANT = {"INTEGER": "bigint", "REAL": "double precision", "BOOLEAN": "boolean", "BLOB": "bytea", "NUMERIC": "numeric"}

_DAY = "substr({0}, 1, 10)"
_MIDNIGHT = "{0} || 'T00:00:00.000000+00:00'"
_TRUTH = "{0} <> 0"
_WORD = "CASE {0} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE {0} END"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What becomes of the values of a column.

    Args:
        column: Its name.
        types: The type that it has, and those that it gets one after the other.
        labels: The values that there are of the last one, if that is an enum type which is known.
    """

    column: str
    types: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    def then(self, after: str, labels: tuple[str, ...] | None) -> Conversion:
        """Gives the conversion to yet another type."""
        return Conversion(self.column, (*self.types, after), labels)

    @property
    def is_needed(self) -> bool:
        """Whether any value may be another one afterwards, or none at all."""
        return self.labels is not None or any(not _is_kept(*pair) for pair in pairwise(self.types))

    @property
    def words(self) -> str:
        """The last type, in the words that it was declared in."""
        return self.types[-1]

    def value(self, name: str) -> str:
        """Gives what makes the new value of the column `name`; Cormorant's connections know how.

        Example:
            >>> Conversion("born", ("timestamptz", "date")).value('"born"')
            'substr("born", 1, 10)'
        """
        for pair in pairwise(self.types):
            if not _is_kept(*pair):
                plain = _always(*pair)
                name = _called("cormorant_converted", name, pair) if plain is None else plain.format(name)
        return name if self.labels is None else f"cormorant_labelled({name}, {_listed(self.labels)})"

    def fails(self, name: str) -> str:
        """Gives the condition of those rows whose value cannot become one of the last type."""
        converts = _called("cormorant_converts", name, self.types)
        if self.labels is not None:
            value = Conversion(self.column, self.types).value(name)
            converts = f"CASE WHEN {converts} THEN {value} IN ({_listed(self.labels)}) ELSE 0 END"
        return f"{name} IS NOT NULL AND NOT {converts}"

    def by_hand(self, table: str, name: str) -> str:
        """Gives what makes the new value in any program; an error for values that only Cormorant can convert."""
        said = f"{table}.{self.column} cannot become {self.words} here: let cormorant migrate do it"
        # no constant, which might be computed for no row at all
        refused = f"json_extract('{{}}', {_text(said)} || substr({name}, 1, 0))"
        for pair in pairwise(self.types):
            if not _is_kept(*pair):
                name = (_always(*pair) or _often(*pair)).format(name, refused)
        if self.labels is None:
            return name
        return f"CASE WHEN {name} IS NULL OR {name} IN ({_listed(self.labels)}) THEN {name} ELSE {refused} END"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(map(_text, labels))


def _called(function: str, name: str, given: tuple[str, ...]) -> str:
    return f"{function}({', '.join([name, *(_text(_known(each)) for each in given)])})"


def _known(type_: str) -> str:
    """Gives a type in PostgreSQL's words; those that SQLite has of its own mean what it keeps under them."""
    return _MEANT.get(types.kept_on_sqlite(type_), "text") if type_ == type_.upper() else types.plain(type_)


def _is_kept(before: str, after: str) -> bool:
    """Whether values are those of the new type as they are."""
    if before == before.upper() and types.kept_on_sqlite(before) == types.kept_on_sqlite(after):
        return True
    if after == after.upper() and types.kept_on_sqlite(after) not in ("INTEGER", "REAL", "BOOLEAN"):
        return True
    before, after = _known(before), _known(after)
    one, other = types.base(before), types.base(after)
    if before == after or other.removesuffix("[]") not in _KNOWN or (one.endswith("[]") and other in ("jsonb", "json")):
        return True
    if one in _WHOLE and other in (*_WHOLE, *_FLOATS):
        return other not in _WHOLE or _WHOLE.index(one) <= _WHOLE.index(other)
    if one == "boolean" and other in _WHOLE:
        return True
    if one == other or {one, other} <= _TEXTS:
        return not types.is_narrower(before, after)
    if one in _FLOATS and other in _FLOATS:
        return True
    if after in _TEXTS:
        return one not in _REWORDED and not one.endswith("[]") and (one != "numeric" or before == "numeric")
    return {one, other} == {"json", "jsonb"} or (one in _WHOLE and after in ("numeric", "jsonb", "json"))


def _always(before: str, after: str) -> str | None:
    """Gives the SQL that converts every value; None if only a function does."""
    one, other = types.base(_known(before)), types.base(_known(after))
    if one in _MOMENTS and other == "date":
        return _DAY
    if one == "date" and other == "timestamptz":
        return _MIDNIGHT
    if one == "integer" and other == "boolean":
        return _TRUTH
    return _WORD if one == "boolean" and types.plain(after) in _TEXTS else None


def _often(before: str, after: str) -> str:
    """Gives the SQL that converts plain values; {1} stands for what refuses the others."""
    one, other = types.base(_known(before)), types.base(_known(after))
    said = next((made for made, old, new in _OFTEN if old(one) and new(other)), None)
    if said is None or types.base(before) == types.base(after):
        said = "CASE WHEN {0} IS NULL THEN NULL ELSE {1} END"
    return said


def _any_of(*names: str) -> Callable[[str], bool]:
    return frozenset(names).__contains__


_OFTEN: tuple[tuple[str, Callable[[str], bool], Callable[[str], bool]], ...] = (
    (
        "CASE WHEN {0} IS NULL THEN NULL WHEN lower(trim({0})) IN ('true', 't', 'yes', 'y', 'on', '1') THEN 1 "
        "WHEN lower(trim({0})) IN ('false', 'f', 'no', 'n', 'off', '0') THEN 0 ELSE {1} END",
        _any_of(*_TEXTS),
        _any_of("boolean"),
    ),
    (
        "CASE WHEN {0} IS NULL THEN NULL WHEN length({0}) BETWEEN 1 AND 9 AND {0} NOT GLOB '*[^0-9]*' "
        "THEN CAST({0} AS INTEGER) ELSE {1} END",
        _any_of(*_TEXTS),
        _any_of("integer", "bigint"),
    ),
    (
        # half-way between two goes to the even one
        "CASE WHEN {0} IS NULL THEN NULL WHEN abs({0}) > 1e9 THEN {1} WHEN abs({0} - CAST({0} AS INTEGER)) = 0.5 "
        "THEN 2 * CAST(round({0} / 2) AS INTEGER) ELSE CAST(round({0}) AS INTEGER) END",
        _any_of(*_FLOATS),
        _any_of("integer", "bigint"),
    ),
    (
        "CASE WHEN {0} IS NULL THEN NULL WHEN abs({0}) > 1e9 THEN {1} ELSE CAST(round({0}) AS INTEGER) END",
        _any_of("numeric"),
        _any_of("integer", "bigint"),
    ),
    (
        "CASE WHEN {0} IS NULL OR {0} BETWEEN -2147483648 AND 2147483647 THEN {0} ELSE {1} END",
        _any_of("bigint"),
        _any_of("integer"),
    ),
)
