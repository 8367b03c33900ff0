"""What the next flush would write of one object, for people to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cormorant.models.collections import is_collection
from cormorant.models.describing import shown_value
from cormorant.models.inside import same
from cormorant.models.model import Model
from cormorant.models.state import MISSING, is_persistent, value_or_missing


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a column, or of a collection; its repr hides the values of sensitive columns.

    Args:
        old: What the row has; None where that was never loaded, and for new objects.
        new: What it will get; None for a key that the flush makes.
        added: The objects that were added to a collection.
        removed: The objects that were taken out of a collection.
        sensitive: The values are shown to nobody who does not ask for them.
    """

    old: Any = None
    new: Any = None
    added: tuple[Model, ...] = ()
    removed: tuple[Model, ...] = ()
    sensitive: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        old, new = (shown_value(value, sensitive=self.sensitive) for value in (self.old, self.new))
        return f"Change(old={old}, new={new}, added={self.added!r}, removed={self.removed!r})"


def changes_of(instance: Model) -> dict[str, Change]:
    """Gives an object's changed columns and collections by attribute; of a new object every column that has a value."""
    info = type(instance).__info__
    found: dict[str, Change] = {}
    before = (instance.__orm_changes__ or {}) if is_persistent(instance) else dict.fromkeys(info.fields, MISSING)
    for name in [name for name in info.fields if name in before]:
        old, new = before[name], value_or_missing(instance, name)
        if old is not new and not same(old, new):
            old, new = (None if value is MISSING else value for value in (old, new))
            found[name] = Change(old, new, sensitive=info.fields[name].sensitive)
    for name, held in (instance.__orm_related__ or {}).items():
        if is_collection(held) and (held.added or held.removed):
            found[name] = Change(added=tuple(held.added.values()), removed=tuple(held.removed.values()))
    return found
