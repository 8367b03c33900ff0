"""The table of operations and their locks in docs/migrations-safety.md.

python -m tests.support.locks_table    writes it anew
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cormorant.migrations import Step
from cormorant.migrations.safety.breaking import breaks
from cormorant.migrations.safety.effects import Effect, effects_of
from cormorant.migrations.safety.locks import Lock
from cormorant.migrations.safety.safe_form import safe
from cormorant.migrations.safety.walking import Walk
from cormorant.migrations.safety.wording import advice_for
from cormorant.schema import snapshot as s
from cormorant.schema import steps as op

PAGE = Path(__file__).parents[2] / "docs" / "migrations-safety.md"
BEGIN, END = "<!-- operations -->\n", "<!-- end of operations -->\n"
HEAD = (
    "| operation | lock | rows | who waits meanwhile | safe form |",
    "| --- | --- | --- | --- | --- |",
)

ID = s.Column("id", "bigint", identity="by default")
NUMBER = s.Column("number", "integer", nullable=True)
TITLE = s.Column("title", "varchar(20)", nullable=True)
KEY = s.ForeignKey("key", ("number",), "other", ("id",))
CHECK = s.Check("check", "number > 0")
LATER = s.Check("later", "id > 0", validated=False)
INDEX = s.Index("index", (s.IndexItem("number"),))
MOOD = s.Enum("mood", ("calm", "cross"))
LIST = s.Column("mood", '"mood"', nullable=True)
TABLE = s.Table("table", (ID, NUMBER, TITLE, LIST), s.PrimaryKey(("id",)), checks=(LATER,), indexes=(INDEX,))
OTHER = s.Table("other", (ID,), s.PrimaryKey(("id",)))
BEFORE = s.SchemaSnapshot((TABLE, OTHER), (MOOD,))


def add(type_: str, **parts: Any) -> op.Operation:
    return op.AddColumn("table", s.Column("added", type_, **parts))


def alter(column: s.Column, **parts: Any) -> op.Operation:
    return op.AlterColumn("table", column, replace(column, **parts))


OPERATIONS: dict[str, op.Operation] = {
    "create a table with a foreign key": op.CreateTable(
        s.Table("made", (NUMBER,), None, (replace(KEY, target="table"),))
    ),
    "drop a table": op.DropTable(TABLE),
    "rename a table": op.RenameTable("table", "new"),
    "add a column, NULL or with a constant default": add("integer", default="0"),
    "add a column, NOT NULL and without a default": add("integer"),
    "add a column with a default for each row, `gen_random_uuid()`": add("uuid", default="gen_random_uuid()"),
    "add a column that numbers rows": add("bigint", identity="by default"),
    "add a computed column": add("integer", nullable=True, computed="number + 1"),
    "drop a column": op.DropColumn("table", NUMBER),
    "rename a column": op.RenameColumn("table", "number", "count"),
    "make a column NOT NULL": alter(NUMBER, nullable=False),
    "make a column NOT NULL, with a value for old rows": alter(NUMBER, nullable=False, fill="0"),
    "let a column be NULL": op.AlterColumn("table", replace(NUMBER, nullable=False), NUMBER),
    "another default": alter(NUMBER, default="1"),
    "a type of the same form: `varchar(20)` to `varchar(50)` or `text`": alter(TITLE, type="text"),
    "another type: `integer` to `bigint`": alter(NUMBER, type="bigint"),
    "a comment": op.CommentTable("table", None, "said"),
    "add a check": op.AddConstraint("table", CHECK),
    "add a check, not yet validated": op.AddConstraint("table", replace(CHECK, validated=False)),
    "add a foreign key": op.AddConstraint("table", KEY),
    "add a foreign key, not yet validated": op.AddConstraint("table", replace(KEY, validated=False)),
    "validate a check": op.ValidateConstraint("table", LATER, alone=True),
    "validate a foreign key": op.ValidateConstraint("table", KEY, alone=True),
    "add a unique constraint": op.AddConstraint("table", s.Unique("unique", ("number",))),
    "add a unique constraint concurrently": op.AddConstraint("table", s.Unique("u", ("number",)), concurrently=True),
    "drop a constraint": op.DropConstraint("table", LATER),
    "drop a foreign key": op.DropConstraint("table", KEY),
    "rename a constraint": op.RenameConstraint("table", "later", "now"),
    "create an index": op.CreateIndex("table", replace(INDEX, name="another")),
    "create an index concurrently": op.CreateIndex("table", replace(INDEX, name="another"), concurrently=True),
    "drop an index": op.DropIndex("table", INDEX),
    "drop an index concurrently": op.DropIndex("table", INDEX, concurrently=True),
    "rename an index": op.RenameIndex("table", INDEX, "new"),
    "add a value to an enum": op.AlterEnum(MOOD, s.Enum("mood", ("calm", "cross", "glad"))),
    "take a value from an enum": op.AlterEnum(MOOD, s.Enum("mood", ("calm",)), (("table", LIST),)),
}


def lines() -> Iterator[str]:
    """Gives the table, line by line."""
    yield from HEAD
    for words, operation in OPERATIONS.items():
        effects = effects_of(operation, BEFORE)
        cells = (words, _locks(effects), _rows(effects), _waiting(effects), _form(operation))
        yield f"| {' | '.join(cells)} |"


def _locks(effects: tuple[Effect, ...]) -> str:
    return ", then ".join(", ".join(map(_lock, effect.locks)) for effect in effects) or "none"


def _lock(lock: Lock) -> str:
    on = {"table": "", "other": " on the other table"}.get(lock.on, " on the index")
    return f"{lock.mode}{on}"


def _rows(effects: tuple[Effect, ...]) -> str:
    if any(effect.rewrites for effect in effects):
        return "written anew"
    return "read" if any(effect.scans for effect in effects) else ""


def _waiting(effects: tuple[Effect, ...]) -> str:
    found = ["nobody"]
    for effect in effects:
        locks = [lock for lock in effect.locks if lock.stops_writes]
        if locks:
            who = "all" if any(lock.stops_reads for lock in locks) else "writers"
            found.append(who if effect.works_on else f"{who}, for a moment")
    return found[-1] if len(found) == 2 else next((x for x in reversed(found) if "moment" not in x), found[-1])


def _form(operation: op.Operation) -> str:
    steps = safe([operation], BEFORE)
    if steps != [operation]:
        return ", ".join(dict.fromkeys(map(_short, steps)))
    walk = Walk(BEFORE)
    slow = any(
        effect.works_on and any(x.stops_writes for x in effect.locks) for effect in effects_of(operation, BEFORE)
    )
    broken = next((each.advice for each in breaks(operation, walk)), "")
    return (advice_for(operation) if slow else "") or broken or "itself"


def _short(step: Step) -> str:
    later = getattr(getattr(step, "constraint", None), "validated", True) is False
    notes = ["NOT VALID"] if later and isinstance(step, op.AddConstraint) else []
    notes += ["concurrently"] if getattr(step, "concurrently", False) else []
    notes += ["alone"] if getattr(step, "alone", False) else []
    return f"{type(step).__name__}{f' ({chr(44).join(notes)})' if notes else ''}"


def in_page(text: str) -> str:
    """Gives the table that a page has."""
    return text.partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    made = "".join(f"{line}\n" for line in lines())
    PAGE.write_text(f"{before}{begin}{made}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
