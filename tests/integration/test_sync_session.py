"""S19: what an AsyncSession does, a Session does without `await`: objects, transactions, errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

from cormorant import Database, Session, configure, ref, text
from cormorant.errors import (
    AmbiguousSession,
    ConfigurationError,
    ForeignInstanceError,
    NotFoundError,
    SessionClosedError,
    SessionNotEntered,
    StaleObjectError,
    TransactionError,
    TransactionFailedError,
    UniqueViolation,
    WrongType,
)
from tests.support.newsroom import Label, Memo, Story, Writer, sent, words

T = TypeVar("T")


@contextmanager
def undone(block: AbstractContextManager[T]) -> Generator[T]:
    """Enters a session or a transaction, and leaves it by an exception that arrives here."""

    class ChangedMyMind(Exception):
        pass

    try:
        with block as entered:
            yield entered
            raise ChangedMyMind
    except ChangedMyMind:
        return
    raise AssertionError("the exception was swallowed")


# ---- the block


def test_leaving_commits(database: Database) -> None:
    with Session(database) as session:
        assert session.database is database
        session.add(Story(title="Notes", writer=Writer(name="Ada")))
        assert len(session.new) == 2
    assert words(session) == {"BEGIN": 1, "INSERT": 2, "COMMIT": 1}
    with Session(database) as session:
        assert [(story.title, story.writer.name) for story in session.query(Story)] == [("Notes", "Ada")]


def test_leaving_by_an_exception_rolls_back_and_lets_it_through(database: Database) -> None:
    with undone(Session(database)) as session:
        ada = session.create(Writer, name="Ada")
    with Session(database) as session:
        assert session.query(Writer).count() == 0
        # what was added has no row and may be added again
        session.add(ada)
    with Session(database) as session:
        assert session.query(Writer).count() == 1


def test_entering_and_reading_nothing_sends_nothing(database: Database) -> None:
    with Session(database) as session:
        assert not session.in_transaction
        assert not session.new
    assert sent(session) == 0


def test_a_commit_that_fails_is_raised_by_the_block(database: Database) -> None:
    with Session(database) as session:
        session.create(Writer, name="Ada", email="a@x")
    with pytest.raises(UniqueViolation) as caught, Session(database) as session:
        session.add(Writer(name="Eve", email="a@x"))
    assert caught.value.columns == ("email",)


def test_what_was_loaded_stays_readable(database: Database) -> None:
    with Session(database) as session:
        session.add(Story(title="Notes", writer=Writer(name="Ada")))
    with Session(database) as session:
        story = session.query(Story).one()
    assert story.title == "Notes"
    with pytest.raises(SessionClosedError):
        _ = story.writer.name
    with pytest.raises(SessionClosedError):
        len(story.labels)


def test_the_configured_database_is_used(database: Database) -> None:
    configure(database)
    try:
        with Session() as session:
            session.add(Writer(name="Ada"))
            assert session.database is database
    finally:
        configure(None)
    with Session(database) as session:
        assert session.query(Writer).count() == 1


def test_a_dsn_is_one_database(database_dsn: str, database: Database) -> None:
    with Session(dsn=database_dsn) as session, Session(database_dsn) as other:
        assert session.database is other.database
        session.create(Writer, name="Ada")
        session.commit()
        assert other.query(Writer).one().name == "Ada"


def test_two_sources_are_refused(database_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="one of"):
        Session(database_dsn, dsn=database_dsn)


def test_a_session_that_is_not_open_says_so(database: Database) -> None:
    session = Session(database)
    with pytest.raises(SessionNotEntered, match=r"with Session\(\) as session"):
        session.query(Writer).all()
    with session:
        pass
    with pytest.raises(SessionClosedError, match=r"test_sync_session\.py:\d+"):
        session.add(Writer(name="Ada"))
    with pytest.raises(SessionClosedError, match="with Session"):
        session.flush()


def test_a_handle_is_open_once_at_a_time_and_again_later(database: Database) -> None:
    session = Session(database)
    with session:
        session.add(Writer(name="Ada"))
        with pytest.raises(AmbiguousSession, match="Session for each block"), session:
            pass
    with session:
        assert session.query(Writer).count() == 1


def test_close_rolls_back_once(database: Database) -> None:
    with Session(database) as session:
        session.create(Writer, name="Ada")
        session.close()
        session.close()
        with pytest.raises(SessionClosedError):
            session.query(Writer).count()
    with Session(database) as session:
        assert session.query(Writer).count() == 0


def test_options_reach_the_session(database: Database) -> None:
    with Session(database, autocommit=True) as session:
        session.create(Writer, name="Ada")
        assert not session.in_transaction
        with Session(database, read_only=True, isolation="repeatable read") as other:
            assert other.query(Writer).count() == 1
    with pytest.raises(ConfigurationError):
        Session(database, isolation="chaos")  # type: ignore[arg-type]


# ---- objects


def test_get_and_its_kin(database: Database) -> None:
    with Session(database) as session:
        ada, eve = session.create(Writer, name="Ada"), session.create(Writer, name="Eve")
    with Session(database) as session:
        first = session.get(Writer, ada.id)
        assert first is not None
        assert first.name == "Ada"
        assert session.get(Writer, ada.id) is first
        assert session.get(Writer, 99) is None
        assert session.get_one(Writer, eve.id).name == "Eve"
        with pytest.raises(NotFoundError, match="Writer 99"):
            session.get_one(Writer, 99)
        found = session.get_many(Writer, (key for key in (eve.id, 99, ada.id)))
        assert [writer.name for writer in found] == ["Eve", "Ada"]
        with pytest.raises(WrongType):
            session.get(Writer, "one")
        with pytest.raises(WrongType):
            session.get(3, 1)  # type: ignore[type-var]


def test_changes_are_seen_written_and_undone(database: Database) -> None:
    with Session(database) as session:
        ada = session.create(Writer, name="Ada")
        session.commit()
        ada.name = "Eve"
        assert list(session.dirty) == [ada]
        session.rollback()
        assert ada.name == "Ada"
        ada.name = "Bob"
        session.flush()
        assert session.in_transaction
        session.delete(ada)
        assert list(session.deleted) == [ada]
        session.rollback()
        assert ada.name == "Ada"
    with Session(database) as session:
        session.delete(session.get_one(Writer, ada.id))
    with Session(database) as session:
        assert session.query(Writer).count() == 0


def test_changes_inside_documents_are_seen(database: Database) -> None:
    with Session(database) as session:
        memo = session.create(Memo, body={"a": [1]})
    with Session(database) as session:
        session.get_one(Memo, memo.id).body["a"].append(2)
    with Session(database) as session:
        assert session.get_one(Memo, memo.id).body == {"a": [1, 2]}


def test_refresh_expunge_and_clear(database: Database) -> None:
    with Session(database) as session:
        ada = session.create(Writer, name="Ada")
        session.commit()
        session.query(Writer).update(Writer.name.set("Eve"))
        session.refresh(ada)
        assert ada.name == "Eve"
        assert list(session.identity_map) == [ada]
        ada.name = "Bob"
        with pytest.raises(StaleObjectError):
            session.refresh(ada)
        session.expunge(ada)
        session.clear()
        assert not list(session.identity_map)
    with Session(database) as session:
        assert session.get_one(Writer, ada.id).name == "Eve"


def test_an_object_of_another_session_is_refused(database: Database) -> None:
    with Session(database) as one, Session(database) as other:
        ada = one.create(Writer, name="Ada")
        one.commit()
        with pytest.raises(ForeignInstanceError):
            other.add(ada)
        with pytest.raises(ForeignInstanceError):
            other.query(ada.stories)


def test_links_and_references_by_key(database: Database) -> None:
    with Session(database) as session:
        ada = session.create(Writer, name="Ada")
        session.commit()
        story = Story(title="Notes", writer=ref(Writer, ada.id))
        story.labels.add(Label(name="math"))
        session.add(story)
    with Session(database) as session:
        (story,) = session.query(Story)
        assert [label.name for label in story.labels] == ["math"]
        story.labels.clear()
    with Session(database) as session:
        assert session.query(session.query(Story).one().labels).count() == 0


# ---- transactions


def test_blocks_nest(database: Database) -> None:
    with Session(database) as session:
        with session.transaction():
            ada = session.create(Writer, name="Ada")
            with undone(session.transaction()):
                ada.name = "Eve"
                session.create(Writer, name="Bob")
            assert ada.name == "Ada"
            with session.transaction() as inner:
                assert inner is not None
                session.create(Writer, name="Cy")
        assert not session.in_transaction
        assert sorted(session.query(Writer).scalars(Writer.name)) == ["Ada", "Cy"]
    assert words(session)["SAVEPOINT"] == 2


def test_begin_commit_and_rollback_by_hand(database: Database) -> None:
    with Session(database) as session:
        transaction = session.begin(isolation="serializable")
        session.create(Writer, name="Ada")
        with pytest.raises(TransactionError, match=r"with session\.transaction"):
            session.begin()
        transaction.rollback()
        session.begin()
        session.create(Writer, name="Eve")
        session.commit()
        session.begin().commit()
    with Session(database) as session:
        assert session.query(Writer).one().name == "Eve"


def test_the_verbs_of_a_session_are_refused_inside_of_a_block(database: Database) -> None:
    with Session(database) as session, session.transaction():
        session.create(Writer, name="Ada")
        with pytest.raises(TransactionError, match=r"test_sync_session\.py:\d+"):
            session.commit()
        with pytest.raises(TransactionError):
            session.rollback()


def test_a_block_is_left_once_and_after_it_was_entered(database: Database) -> None:
    with Session(database) as session:
        block = session.transaction()
        with pytest.raises(TransactionError, match=r"use `with session\.transaction\(\)`"):
            block.__exit__(None, None, None)


def test_a_failed_block_refuses_to_go_on(database: Database) -> None:
    with Session(database) as session:
        session.create(Writer, name="Ada", email="a@x")
        session.commit()
        block = session.transaction()
        block.__enter__()
        with pytest.raises(UniqueViolation):
            session.create(Writer, name="Eve", email="a@x")
        with pytest.raises(TransactionFailedError) as refused:
            session.query(Writer).count()
        # the remedy is one that works here
        assert "await" not in str(refused.value)
        assert "async" not in str(refused.value)
        with pytest.raises(TransactionFailedError):
            block.__exit__(None, None, None)
        assert session.query(Writer).count() == 1


# ---- raw SQL and statistics


def test_raw_sql(database: Database) -> None:
    with Session(database) as session:
        session.create(Writer, name="Ada")
        result = session.execute("SELECT name FROM newsroom_writer WHERE name = :name", {"name": "Ada"})
        assert result.columns == ("name",)
        assert [tuple(row) for row in result] == [("Ada",)]
        session.execute(text("UPDATE newsroom_writer SET name = :name"), {"name": "Eve"})
    with Session(database) as session:
        assert session.query(Writer).one().name == "Eve"


def test_statistics(database: Database) -> None:
    with Session(database) as session:
        session.query(Writer).count()
        (stats,) = session.query_stats()
        assert stats.count == 1
        session.reset_query_stats()
        session.query(Story).count()
    (stats,) = session.query_stats()
    assert "stories" in stats.sql
    assert any(stats.sql in (each.sql for each in database.query_stats()) for stats in session.query_stats())


@pytest.mark.parametrize("bad", [None, 3, "Writer", object(), [Writer]])
def test_what_is_no_model_is_refused(database: Database, bad: Any) -> None:
    with Session(database) as session:
        with pytest.raises(WrongType):
            session.query(bad)
        with pytest.raises(Exception, match="no model instance"):
            session.add(bad)
