"""The table of locks in the documentation is what the linter says, which is what PostgreSQL does."""

from __future__ import annotations

from cormorant.migrations.safety.findings import RULES
from tests.support import locks_table


def test_the_page_has_the_table_of_today() -> None:
    text = locks_table.PAGE.read_text(encoding="utf-8")
    assert locks_table.in_page(text).splitlines() == list(locks_table.lines()), (
        "run python -m tests.support.locks_table"
    )


def test_the_page_names_every_rule() -> None:
    text = locks_table.PAGE.read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"`{rule}`" not in text] == []
