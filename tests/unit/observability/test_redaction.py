"""Which statements have to do with secrets, and what is shown of them."""

from __future__ import annotations

import pytest

from cormorant import Mapped, Model, field, generated
from cormorant._internal.secrets import HIDDEN, has_secrets, hide_logins, is_secret_name, readable, without_secrets
from cormorant.models.registry import registry
from cormorant.observability.redaction import shown_parameters


@pytest.fixture(autouse=True, scope="module")
def patients() -> type[Model]:
    with registry.isolated():

        class Patient(Model, table="patients"):
            id: Mapped[int] = generated(primary_key=True)
            illness: Mapped[str] = field(sensitive=True)
            room: Mapped[int] = field(default=0)
            token_count: Mapped[int] = field(default=0, sensitive=False)

        return Patient


@pytest.mark.parametrize(
    "name", ["password", "PasswordHash", "api_key", "apikey", "user_token", "pin", "card_pin", "pwd", "clientSecret"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["name", "spin", "pinned", "key", "author", "keyboard", "compass", "title"])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "sql",
    [
        'UPDATE "users" SET "password" = $1',
        "select 1 from users where api_key = ?",
        'SELECT "id" FROM "patients" WHERE "patients"."illness" = $1',
        'SELECT "illness" = $1 FROM "patients"',
        'INSERT INTO "patients" ("room", "illness") VALUES ($1, $2)',
        "INSERT INTO patients VALUES (?, ?, ?, ?)",
        "COPY patients FROM STDIN",
        'WITH a AS (SELECT "illness" FROM "patients") SELECT * FROM a WHERE a.illness = $1',
    ],
)
def test_statements_that_name_something_secret_show_no_values(sql: str) -> None:
    assert has_secrets(sql)
    assert shown_parameters(sql, ("a", 2)) == (HIDDEN, HIDDEN)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "id", "illness", "room" FROM "patients" WHERE "room" = $1',
        'SELECT "id", "password" FROM "users" WHERE "id" = $1',
        'UPDATE "patients" SET "room" = $1 WHERE "id" = $2',
        'SELECT "illness" FROM "books" WHERE "illness" = $1',
    ],
)
def test_other_statements_show_them(sql: str) -> None:
    assert not has_secrets(sql)
    assert shown_parameters(sql, ("a", 2)) == ("'a'", "2")


def test_values_are_cut_and_secrets_in_them_hidden() -> None:
    long, url, document = "x" * 3000, "postgresql://app:hunter2@host/db", '{"password": "hunter2"}'
    shown = shown_parameters("SELECT 1", (long, "y" * 200, [1, 2, 3, 4], b"abc", url, document, None))
    assert shown[0] == "<text of 3000 characters>"
    assert len(shown[1]) == 80
    assert shown[2:4] == ("[1, 2, 3, ... 4 in all]", "<3 bytes>")
    assert shown[4:] == ("'postgresql://app:***@host/db'", HIDDEN, "None")


def test_texts_in_statements_are_hidden_where_they_may_be_secret() -> None:
    sql = "ALTER ROLE app\n  PASSWORD 'hunter2''s' VALID UNTIL 'never'"
    assert without_secrets(sql) == "ALTER ROLE app\n  PASSWORD '***' VALID UNTIL '***'"
    assert readable(sql) == "ALTER ROLE app PASSWORD '***' VALID UNTIL '***'"
    assert readable("SELECT 'a'\nFROM b") == "SELECT 'a' FROM b"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 1 -- don't\nWHERE password = 'hunter2'", "SELECT 1 /* *** */ WHERE password = '***'"),
        ("SELECT 1 /* it's */ WHERE password = 'hunter2'", "SELECT 1 /* *** */ WHERE password = '***'"),
        ("SELECT 1 /* /* it's */ 's */ WHERE password = 'hunter2'", "SELECT 1 /* *** */ WHERE password = '***'"),
        ("""UPDATE a SET "it's" = 1, password = 'hunter2'""", """UPDATE a SET "it's" = 1, password = '***'"""),
        (r"UPDATE a SET password = E'\'hunter2'", "UPDATE a SET password = '***'"),
        ("UPDATE a SET password = $x$hunter2", "UPDATE a SET password = '***'"),
        ("UPDATE a SET password = 'hunter2", "UPDATE a SET password = '***'"),
        (
            "UPDATE a SET password = $1, b = $2 WHERE c = 'hunter2'",
            "UPDATE a SET password = $1, b = $2 WHERE c = '***'",
        ),
        ("SELECT crypt('hunter2', password) FROM users", "SELECT crypt('***', password) FROM users"),
        ("UPDATE a SET b = 1 -- password = hunter2", "UPDATE a SET b = 1 /* *** */"),
    ],
)
def test_texts_are_hidden_wherever_they_begin_and_end(sql: str, shown: str) -> None:
    assert readable(sql) == shown
    assert "hunter2" not in without_secrets(sql)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://app:hunter2@host/db", "postgresql://app:***@host/db"),
        ("to 'redis://:hunter2@a' or b@c.d", "to 'redis://:***@a' or b@c.d"),
        ("http://u:hun:ter@2@h", "http://u:***@h"),
        ("x@y http://host:80/", "x@y http://host:80/"),
        ("mailto:a@b ://", "mailto:a@b ://"),
    ],
)
def test_passwords_of_urls_are_hidden(text: str, shown: str) -> None:
    assert hide_logins(text) == shown


def test_looking_for_passwords_takes_a_time_that_grows_with_the_text() -> None:
    # a minute for each, where every place of a word is looked at from every other one
    for text in (f"x://{'a.' * 40_000}@", f"{'a.' * 40_000}:// @", f"@ {'a://b:' * 40_000}"):
        assert hide_logins(text) == text
