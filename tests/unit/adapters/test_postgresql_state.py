"""What SQL leaves behind in its connection, told from the text."""

from __future__ import annotations

import pytest

from cormorant.adapters.postgresql_state import REMEDIES, LeftBehind, leaves_behind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SET search_path = app", "SET"),
        ("set session statement_timeout = 5", "SET"),
        ("SET ROLE app", "SET"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
        ("  -- it's time\n /* for 'it' */ SET TIME ZONE 'UTC'", "SET"),
        ("LISTEN news", "LISTEN"),
        ("PREPARE q AS SELECT 1", "PREPARE"),
        ("DEALLOCATE ALL", "PREPARE"),
        ("DISCARD PLANS", "PREPARE"),
        ("DECLARE c CURSOR\nWITH HOLD FOR SELECT 1", "WITH HOLD"),
        ("CREATE TEMP TABLE t (id int)", "TEMP"),
        ("create local temporary table t as select 1", "TEMP"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "TEMP"),
        ("CREATE TABLE pg_temp.t (id int)", "TEMP"),
        ("SELECT * INTO TEMP t\nFROM author", "TEMP"),
        ("SELECT pg_advisory_lock($1)", "advisory"),
        ("SELECT 1 WHERE pg_try_advisory_lock_shared (1, 2)", "advisory"),
        ("(SELECT pg_advisory_lock(1))", "advisory"),
        ("SELECT set_config('app.tenant', $1, false)", "set_config"),
        ("SELECT set_config('a', 'b', true), set_config('c', 'd', $1)", "set_config"),
        ("WITH s AS (SELECT set_config('a', 'b', false)) SELECT * FROM s", "set_config"),
        ("DO $$ BEGIN SET x.y = '1'; END $$", "DO"),
        ("CALL work()", "DO"),
        ("LOAD 'auto_explain'", "DO"),
    ],
)
def test_what_outlives_a_transaction(sql: str, kind: str) -> None:
    assert leaves_behind(sql) == kind


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SET LOCAL statement_timeout = 5",
        "SET TRANSACTION READ ONLY",
        "SET CONSTRAINTS ALL DEFERRED",
        "RESET search_path",
        "UNLISTEN *",
        "NOTIFY news",
        "PREPARE TRANSACTION 'x'",
        "DECLARE c CURSOR FOR SELECT 1",
        "CREATE TEMP TABLE t (id int) ON COMMIT DROP",
        "CREATE TABLE temp (id int)",
        "CREATE TABLE settings (temp int)",
        "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)",
        "SELECT pg_advisory_unlock(1)",
        "SELECT set_config('app.tenant', lower($1), true)",
        "SELECT set_config('app.tenant', $1, is_local => true)",
        "SELECT 'set_config(' || name FROM author -- pg_advisory_lock(1)",
        "SELECT $body$ SET x = 1; SELECT pg_advisory_lock(1) $body$",
        "UPDATE author SET name = $1",
        "INSERT INTO temperatures VALUES (1)",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(1)'",
        "SETTLE",
        "BEGIN",
        "",
    ],
)
def test_what_does_not(sql: str) -> None:
    assert leaves_behind(sql) is None


def test_every_kind_has_a_remedy_but_that_of_which_nothing_is_known() -> None:
    kinds = {"SET", "set_config", "LISTEN", "PREPARE", "WITH HOLD", "TEMP", "advisory"}
    assert kinds == REMEDIES.keys()


def test_a_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(sql: str) -> str:
        looked.append(sql)
        return "SET"

    monkeypatch.setattr("cormorant.adapters.postgresql_state.leaves_behind", look)
    known = LeftBehind(limit=2)
    assert [known[sql] for sql in ("a", "b", "a", "b")] == ["SET"] * 4
    assert looked == ["a", "b"]
    assert known["c"] == "SET"
    assert len(known) == 1
