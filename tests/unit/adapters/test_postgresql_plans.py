"""What tells statements from those that were prepared before tables were changed."""

from __future__ import annotations

from cormorant.adapters.postgresql_plans import Edition


def test_a_text_needs_no_mark_where_no_pooler_knows_it() -> None:
    renewed: list[int] = []
    edition = Edition(lambda: renewed.append(1))
    edition.advance()
    edition.reach(edition.following)
    assert (edition.mark, edition.following, renewed) == ("", "", [1])


def test_each_edition_has_a_mark_of_its_own() -> None:
    edition = Edition(tracked=True)
    assert edition.mark == ""
    first = edition.following
    edition.reach(first)
    # another connection has found out the same meanwhile
    edition.reach(first)
    assert (edition.mark, edition.following) == ("\n/* 1 */", "\n/* 2 */")
    edition.advance()
    assert edition.mark == "\n/* 2 */"
