"""SQL of one's own, statement by statement."""

from __future__ import annotations

import pytest

from cormorant.migrations import RunSQL
from tests.support.sql import DATABASES

POSTGRESQL = DATABASES["postgresql"].dialect


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("update a set b = 1", ["update a set b = 1"]),
        ("update a set b = 1;\n\nupdate c set d = 2;\n", ["update a set b = 1", "update c set d = 2"]),
        ("", []),
        (" ;; \n-- nothing\n; /* at; all */", []),
        ("update a set b = ';' || 'it''s;'; select 1", ["update a set b = ';' || 'it''s;'", "select 1"]),
        (r"update a set b = E'\';'; select 1", [r"update a set b = E'\';'", "select 1"]),
        ('drop table ";"; select 1', ['drop table ";"', "select 1"]),
        ("do $$ select 1; select 2; $$; select 3", ["do $$ select 1; select 2; $$", "select 3"]),
        ("do $x$ a; $$ b; $x$; select 3", ["do $x$ a; $$ b; $x$", "select 3"]),
        ("-- first;\nselect 1; select $1", ["-- first;\nselect 1", "select $1"]),
        ("select 'begin'; select 2", ["select 'begin'", "select 2"]),
    ],
)
def test_a_text_is_sent_statement_by_statement(sql: str, statements: list[str]) -> None:
    assert RunSQL(sql).statements(POSTGRESQL) == statements
    assert RunSQL([sql, sql]).statements(POSTGRESQL) == [*statements, *statements]


def test_the_body_of_a_trigger_stays_whole() -> None:
    sql = "create trigger t after insert on a begin update b set c = 1; delete from d; end;"
    assert RunSQL(sql).statements(POSTGRESQL) == [sql]


@pytest.mark.parametrize(("database", "said"), [("postgresql", ["a"]), ("sqlite", ["b", "c"])])
def test_each_database_is_told_its_own(database: str, said: list[str]) -> None:
    step = RunSQL({"postgresql": "a", "sqlite": "b; c"})
    assert step.statements(DATABASES[database].dialect) == said
    assert RunSQL({"sqlite": "a"}).statements(POSTGRESQL) == []
    assert step.describe() == "run a; b; c"
