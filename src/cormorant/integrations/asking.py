"""What was asked of a schema, checked and in one form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from cormorant.errors import QueryError, WrongType, suggest
from cormorant.integrations.serialising import shown_columns
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.schemas import SchemaMode
from cormorant.models.specs import FieldSpec
from cormorant.models.state import MISSING
from cormorant.sql.columns import Column


@dataclass(frozen=True, slots=True)
class Asked:
    """One schema of a model.

    Args:
        relations: The nested relations, each as the names on the way to it.
        keys: The relations to many that are lists of keys.
        exclude: The columns that are left out.
    """

    info: ModelInfo
    mode: SchemaMode
    relations: tuple[tuple[str, ...], ...] = ()
    keys: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()
    sensitive: bool = False
    name: str | None = None

    @property
    def nested(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """What is nested here, and what further inside of it."""
        first = dict.fromkeys(path[0] for path in self.relations)
        return {name: tuple(path[1:] for path in self.relations if path[0] == name and path[1:]) for name in first}

    @property
    def class_name(self) -> str:
        """The name it was given, or one that tells it from the model's other schemas."""
        if self.name is not None:
            return self.name
        parts = [_camel(*path) for path in self.relations] + [f"{_camel(name)}Keys" for name in self.keys]
        inside = f"With{'And'.join(parts)}" if parts else ""
        outside = f"Without{'And'.join(map(_camel, sorted(self.exclude)))}" if self.exclude else ""
        return f"{self.info.name}{self.mode.title()}{inside}{outside}{'Full' if self.sensitive else ''}"

    def columns(self) -> list[str]:
        """Gives the attributes of its columns, in declaration order."""
        if self.mode == "read":
            names = shown_columns(self.info, sensitive=self.sensitive)
        else:
            names = [name for name, spec in self.info.fields.items() if self._is_taken(spec)]
        return [name for name in names if name not in self.exclude]

    def _is_taken(self, spec: FieldSpec) -> bool:
        by_itself = spec.made_by == "database" or spec.version or spec.on_update is not None
        if by_itself or (spec.primary_key and self.mode == "patch"):
            return False
        if spec.annotation is None:
            # the constructor takes the object, and a schema its key; unless the object itself is nested
            relation = spec.relation or ""
            return self.info.relation_specs[relation].init and relation not in self.nested
        has_default = spec.default is not MISSING or spec.default_factory is not None
        return spec.init and not (spec.primary_key and has_default)

    def __post_init__(self) -> None:
        for name in self.exclude:
            if name not in self.info.fields:
                raise self.info.unknown(name)
        for name in self.nested:
            self._check_nested(_relation(self.info, name))
        for name in self.keys:
            self._check_keys(_relation(self.info, name))

    def _check_nested(self, relation: RelationInfo) -> None:
        if self.mode == "patch":
            raise QueryError(
                f"{relation.place} cannot be nested in a patch, which says nothing of which object is meant",
                hint=f"patch the {relation.target.name} by itself, or name {relation.place} in keys=",
            )
        if self.mode == "create" and relation.kind in ("reverse_many", "reverse_one"):
            other = relation.target.relation_specs[relation.inverse or ""]
            if not other.init:
                raise QueryError(
                    f"{relation.place} cannot be nested: the constructor of {relation.target.name} takes the key of "
                    f"{other.name}, which a new {self.info.name} has not",
                    hint=f"declare {relation.target.name}.{other.name} without init=False",
                )

    def _check_keys(self, relation: RelationInfo) -> None:
        if relation.kind in ("to_one", "reverse_one"):
            raise QueryError(
                f"{relation.place} is one object; keys= is for many",
                hint="a relation to one object is there by its key columns anyway",
            )
        if self.mode != "read" and relation.kind != "many_to_many":
            raise QueryError(
                f"{relation.place} cannot be given by keys: each {relation.target.name} says itself where it belongs",
                hint=f"set {relation.target.name}.{relation.inverse}, or nest them: relations=[{relation.place}]",
            )


def asked(
    model: type[Model],
    mode: SchemaMode,
    *,
    relations: Iterable[Any] = (),
    keys: Iterable[Any] = (),
    exclude: Iterable[Any] = (),
    sensitive: bool = False,
    name: str | None = None,
) -> Asked:
    """Gives what `Model.schema()` was asked for.

    Raises:
        UnknownName: A column or relation does not exist.
        QueryError: A relation cannot be had in this way.
        WrongType: Something else was named.
    """
    if mode not in get_args(SchemaMode):
        raise QueryError(f"schema({mode!r})", hint=suggest(str(mode), get_args(SchemaMode)))
    info = model.__info__
    paths = tuple(dict.fromkeys(_path(info, each) for each in _listed("relations", relations)))
    keyed = tuple(dict.fromkeys(_path(info, each)[0] for each in _listed("keys", keys)))
    left_out = frozenset(_column(each) for each in _listed("exclude", exclude))
    return Asked(info, mode, paths, keyed, left_out, sensitive, name)


def _listed(what: str, given: Iterable[Any]) -> list[Any]:
    if isinstance(given, str):
        raise WrongType(f"schema({what}={given!r})", hint=f'give a list: {what}=["{given}"]')
    return list(given)


def _path(info: ModelInfo, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(given.split("."))
    steps: Any = getattr(given, "__steps__", None)
    if not steps or steps[0].relation.owner is not info:
        raise WrongType(
            f"{given!r} is no relation of {info.name}", hint=f'name one: {info.name}.relation, or "relation"'
        )
    return tuple(step.relation.name for step in steps)


def _column(given: Any) -> str:
    name = given.attribute if isinstance(given, Column) else given
    if not isinstance(name, str):
        raise WrongType(f"schema(exclude=[{given!r}])", hint='name columns: Author.email, or "email"')
    return name


def _relation(info: ModelInfo, name: str) -> RelationInfo:
    if name not in info.relation_specs:
        raise info.unknown(name)
    return info.relation(name)


def _camel(*names: str) -> str:
    return "".join(word[:1].upper() + word[1:] for name in names for word in name.split("_"))
