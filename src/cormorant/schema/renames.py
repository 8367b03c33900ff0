"""Which names are renamed, and in which order they can be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cormorant.errors import ModelError


def renames(old: Collection[str], said: Mapping[str, str | None], what: str) -> list[tuple[str, str]]:
    """Gives pairs of an old and a new name; who takes a name comes after who gives it up.

    A name that is there already was taken by a rename before, or is another one's: it is nobody's new name.

    Args:
        old: The names as they are.
        said: The names as they shall be, each with the one that it says it had before.
        what: What they are names of, for messages.

    Raises:
        ModelError: Two change places: that cannot be told from two that have.

    Example:
        >>> renames(["a", "b"], {"b": "a", "c": "b"}, "columns of essay")
        [('b', 'c'), ('a', 'b')]
    """
    _refuse_rings(said, what)
    made: list[tuple[str, str]] = []
    for name in said:
        if name not in old:
            chain = [*_chain(old, said, name)]
            taken = {before for before, _ in made}
            # the last name of the chain is free afterwards, for another one that is new
            if chain and taken.isdisjoint(before for before, _ in chain):
                made += chain
    return made


def _chain(old: Collection[str], said: Mapping[str, str | None], name: str) -> Iterable[tuple[str, str]]:
    before = said[name]
    while before is not None and before in old:
        yield before, name
        name, before = before, said.get(before)


def _refuse_rings(said: Mapping[str, str | None], what: str) -> None:
    for name in said:
        ring = [name]
        while (before := said.get(ring[-1])) is not None and before not in ring:
            ring.append(before)
        if before == name and len(ring) > 1:
            raise ModelError(
                f"{what} change places by renamed_from: {', '.join(ring)}",
                hint="give one of them a third name in a migration before, or take renamed_from away if it is done",
            )
