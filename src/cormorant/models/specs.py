"""Columns and relations as declared: what a class body says, before any annotation is resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cormorant._internal.secrets import is_secret_name
from cormorant.models.state import MISSING
from cormorant.sql.ddl import OnDelete, OnUpdate

SHARED: tuple[type, ...] = (list, dict, set)
"""Defaults of these classes would be one and the same object for all."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A column that the model has no more, and the database may have still.

    Args:
        column: Its name in the database; the attribute's name if None.
    """

    column: str | None = None


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A column as declared; nothing in it needs the annotation to be resolved.

    Args:
        default: The value a new object gets; MISSING for none.
        default_factory: Makes that value anew for each object.
        on_update: Makes the value anew with every change of the row.
        made_by: Who makes the value when none is given: "program", or "database".
        relation: The first to-one relation whose key this column holds.
        position: The place of the target's key column it holds.
        annotation: What the class body says, perhaps as text.
    """

    name: str = ""
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    on_update: Callable[[], Any] | None = None
    made_by: Literal["program", "database"] = "program"
    primary_key: bool = False
    unique: bool = False
    index: bool = False
    init: bool = True
    column: str | None = None
    version: bool = False
    computed: Any = None
    server_default: Any = MISSING
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    relation: str | None = None
    position: int = 0
    annotation: Any = None
    declared_in: Any = None

    scope: Mapping[str, Any] | None = None
    # holds the key of rows whose key is one; known once the relation's other end is
    holds_secret: bool = False

    @property
    def sensitive(self) -> bool:
        """Whether its values are kept out of messages and logs: it says so, its name, or where it points."""
        return bool(self.options.get("sensitive", self.holds_secret or is_secret_name(self.name)))

    @property
    def required(self) -> bool:
        """Whether a new object must be given the value."""
        return self.init and self.default is MISSING and self.default_factory is None and self.made_by == "program"


@dataclass(eq=False)
class RelationSpec:
    """A relation as declared; `resolved` keeps what each model that has it found out.

    Args:
        of: For a reverse relation, the relation's name on the other side.
        columns: The declared attributes that hold the key, where their names do not tell.
        keys: The attributes that hold the key, in the order of the target's.
        symmetrical: A link goes both ways.
        orphan_removal: What has lost its owner is deleted.
        deferrable: The foreign key looks at the end of the transaction.
        renamed_from: The name it had before.
    """

    kind: Literal["foreign_key", "reverse", "many_to_many"]
    name: str = ""
    of: str = ""
    through: Any = None
    on_delete: OnDelete = "restrict"
    on_update: OnUpdate = "no_action"
    primary_key: bool = False
    unique: bool = False
    index: bool = True
    init: bool = True
    default: Any = MISSING
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    many: bool = False
    symmetrical: bool = False
    orphan_removal: bool = False
    deferrable: bool = False
    renamed_from: str | None = None
    annotation: Any = None
    declared_in: Any = None

    scope: Any = None
    resolved: dict[Any, Any] = field(default_factory=dict[Any, Any])
