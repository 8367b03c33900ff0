"""SQLite keeps the text of declarations: it is read with all that SQLite lets stand in it."""

from __future__ import annotations

from cormorant.schema import snapshot as s
from cormorant.schema.sqlite_tables import read_index, read_table
from cormorant.schema.words import canonical, renamed

TABLE = """
    CREATE TABLE "a,b" ( -- a comment, with ( signs
        id integer primary key /* ) */, [odd col] decimal(10,2) default -1.5 not null,
        `x` text default ('a,b') collate nocase unique on conflict ignore,
        y text check (y in ('(', ')')) references other(id) on delete set null match full not deferrable,
        z as (x || 'q') virtual, w int generated always as (id*2) stored not null,
        constraint "pk x" unique (id, "odd col"), check (id > 0),
        foreign key (x) references t2 deferrable initially deferred
    ) strict"""


def test_a_table() -> None:
    table = read_table(TABLE)
    assert [(column.name, column.type) for column in table.columns] == [
        ("id", "integer"),
        ("odd col", "decimal(10,2)"),
        ("x", "text"),
        ("y", "text"),
        ("z", ""),
        ("w", "int"),
    ]
    assert [column.default for column in table.columns] == [None, "-1.5", "('a,b')", None, None, None]
    assert [column.computed for column in table.columns] == [None, None, None, None, "x || 'q'", "id*2"]
    assert [column.name for column in table.columns if column.not_null] == ["odd col", "w"]
    assert table.columns[2].collation == "nocase"
    assert table.primary_key == s.PrimaryKey(("id",))
    assert table.uniques == [s.Unique("", ("x",)), s.Unique("pk x", ("id", "odd col"))]
    assert table.checks == [s.Check("", "y in ('(', ')')"), s.Check("", "id > 0")]
    assert table.foreign_keys == [
        s.ForeignKey("", ("y",), "other", ("id",), "set_null"),
        s.ForeignKey("", ("x",), "t2", (), deferrable="deferred"),
    ]
    assert table.options == "strict"


def test_defaults_of_bytes_are_whole() -> None:
    table = read_table("CREATE TABLE t (a blob default x'00ff' not null, b blob default X'', max text default 'x')")
    assert [column.default for column in table.columns] == ["x'00ff'", "X''", "'x'"]
    assert [column.not_null for column in table.columns] == [True, False, False]


def test_an_index() -> None:
    sql = 'create unique index if not exists main."i x" on [my tab] (a collate nocase desc, lower(b), (c+1)) where a>1'
    assert read_index(sql) == s.Index(
        "i x",
        (
            s.IndexItem("a", descending=True, collation="nocase"),
            s.IndexItem(expression="lower(b)"),
            s.IndexItem(expression="c+1"),
        ),
        unique=True,
        where="a>1",
    )


def test_words_are_compared_without_case_spaces_and_needless_quotes() -> None:
    assert canonical('(("Views">=0))') == canonical("views >= 0")
    assert canonical("(a) = (b)") != canonical("a = b")
    assert canonical("name = 'A'") != canonical("name = 'a'")


def test_columns_are_renamed_in_sql_and_texts_and_functions_stay() -> None:
    sql = "lower(lower) || 'lower' || \"lower\" || other"
    assert renamed(sql, {"lower": "Upper"}) == 'lower("Upper") || \'lower\' || "Upper" || other'


def test_a_number_is_one_word_with_its_exponent() -> None:
    table = read_table("CREATE TABLE t (a REAL DEFAULT 1e-07 NOT NULL, b REAL DEFAULT -1.5E+300, c REAL DEFAULT .5, d)")
    assert [column.default for column in table.columns] == ["1e-07", "-1.5E+300", ".5", None]
    assert table.columns[0].not_null
    assert canonical("a>1E-7") == ("a", ">", "1e-7")
    assert canonical("0x1e-7") == ("0x1e", "-", "7")
