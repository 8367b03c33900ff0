"""A labelled expression that got another label was sent with both names, which is no SQL."""

from __future__ import annotations

from cormorant import AsyncSession, Database, Mapped, Model, func, generated


class Thing(Model, app="regressions_labels"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]


async def test_the_last_label_counts(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Thing)
        async with AsyncSession(database) as session:
            session.add(Thing(name="a"), Thing(name="b"))
            first = Thing.name.label("first")
            last = first.label("middle").label("last")
            things = session.query(Thing)
            assert await things.order_by(last.desc()).as_dicts(last) == [{"last": "b"}, {"last": "a"}]
            assert await things.order_by(last).as_dicts(first, last) == [
                {"first": "a", "last": "a"},
                {"first": "b", "last": "b"},
            ]
            groups = things.group_by(last).order_by(last).as_dicts(last, func.count().label("x").label("n"))
            assert await groups == [{"last": "a", "n": 1}, {"last": "b", "n": 1}]
            per = things.values(Thing.id, last).subquery("per")
            assert await things.join(per, per[Thing.id] == Thing.id).filter(per[last] == "a").count() == 1
