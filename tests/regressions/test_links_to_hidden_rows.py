"""A link to a row that a default scope hides gave a row of its own in outer joins, and so told that there is one."""

from __future__ import annotations

import pytest

from cormorant import AsyncSession, Database, Many, Mapped, Model, Scope, func, generated, many_to_many, reverse


class Hiding(Model, abstract=True, app="regressions_links"):
    org: Mapped[int]


class Group(Hiding, app="regressions_links"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    labels: Many[Label] = many_to_many()


class Label(Hiding, app="regressions_links"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str]
    groups: Many[Group] = reverse("labels")


FIRST = Scope(Hiding, lambda model: model.org == 1, name="tenant")
LINKED = "regressions_links_group_labels"


async def test_what_is_hidden_leaves_no_row_in_an_outer_join(database_dsn: str) -> None:
    async with Database(database_dsn) as database:
        await database.create_all(Group, Label)
        async with AsyncSession(database) as session:
            both, neither = Group(name="both", org=1), Group(name="neither", org=1)
            both.labels.add(Label(name="mine", org=1), Label(name="theirs", org=2))
            theirs = Group(name="theirs", org=2)
            theirs.labels.add(*both.labels)
            session.add(both, neither, theirs)
        async with AsyncSession(database, scopes=[FIRST]) as session:
            groups = session.query(Group).order_by(Group.id)
            pairs = groups.outer_join(Group.labels.each).values(Group.name, Group.labels.each.name)
            assert await pairs == [("both", "mine"), ("neither", None)]
            assert await groups.outer_join(Group.labels.each).group_by(Group.id).scalars(func.count()) == [1, 1]
            far = Group.labels.each.groups.each.name
            assert await groups.values(Group.name, far) == [("both", "both"), ("neither", None)]
            assert await groups.join(Group.labels.each).scalars(Group.labels.each.name) == ["mine"]
            assert len(await pairs.unscoped()) == 5


@pytest.mark.parametrize("scopes", [(), (FIRST,)])
async def test_links_are_joined_one_by_one_unless_something_is_hidden(
    database_dsn: str, scopes: tuple[Scope[Hiding], ...]
) -> None:
    async with Database(database_dsn) as database, AsyncSession(database, scopes=scopes) as session:
        sql = session.query(Group).values(Group.labels.each.name).compile().sql
        link, label = f'"{LINKED}" AS "labels_link"', '"regressions_links_label" AS "labels_link__labels"'
        near = '"labels_link"."group_id" = "regressions_links_group"."id"'
        far = '"labels_link__labels"."id" = "labels_link"."label_id"'
        if scopes:
            mark = sql.partition('"labels_link__labels"."org" = ')[2][:2]
            hidden = f'"labels_link__labels"."org" = {mark}'
            assert f"LEFT JOIN ({link} JOIN {label} ON {far} AND {hidden}) ON {near}" in sql
        else:
            assert f"LEFT JOIN {link} ON {near} LEFT JOIN {label} ON {far}" in sql
