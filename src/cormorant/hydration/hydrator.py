"""Writes one loader for each result shape: rows in, objects out, nothing decided per row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cormorant._internal.codegen import compile_function
from cormorant._internal.collector import MANY, without_collector
from cormorant.hydration.known import Decoders, attach, compile_fill, compile_take, prune_related
from cormorant.hydration.reading import Decoded, refuse_unreadable
from cormorant.hydration.shapes import EntityPart, KeyPart, RowShape, ValuePart
from cormorant.models.inside import copier, find_changes_inside, readers
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import Origin, set_class, unset_silently
from cormorant.sql.types import SqlType

_HEAD = "def load(rows, identity, origin, remember=None):"
_SET_RELATED = Model.__dict__["__orm_related__"].__set__


class IdentitySource(Protocol):
    """Gives, for a model, the known instances by key."""

    def __call__(self, info: ModelInfo, /) -> dict[Any, Any]: ...


class Loader(Protocol):
    """Turns rows into results.

    Args:
        rows: The rows.
        identity: The known instances.
        origin: What the objects come from.
        remember: Called with a clean instance before a row goes over it, where that may have to be taken back.
    """

    def __call__(
        self,
        rows: Sequence[Any],
        identity: IdentitySource,
        origin: Origin,
        remember: Callable[[Model], None] | None = None,
        /,
    ) -> list[Any]: ...


def compile_loader(shape: RowShape, decoders: Decoders) -> Loader:
    """Gives the loader of a shape.

    An object that is known already is refreshed by a row unless it has changes or saw a newer row. All objects of one
    call share `origin`.
    """
    source = _Source(shape, decoders)
    load = compile_function("load", source.text(), source.names)
    if not source.makes_objects:
        return load
    names = {"load": load, "without_collector": without_collector}
    return compile_function("load_any", _LOAD_ANY, names)


def compile_refresh(info: ModelInfo, decoders: Decoders) -> Callable[..., None]:
    """Gives the function that overwrites a clean instance, or fills a reference, with a row's values."""
    source = _Source(RowShape((), "tuples", len(info.fields)), decoders)
    source.names.update(set_class=set_class, twin=info.twin, cls=info.cls, prune=prune_related)
    source.names.update(find_changes_inside=find_changes_inside, mutable=readers(info, decoders))
    part = EntityPart(info, 0)
    values = ", ".join(f"v{i}" for i in range(len(info.fields)))
    lines = [f"def refresh(o, origin, {values}):"]
    if info.mutable_columns:
        # what changed in place is a change like any other, and nothing has told of it yet
        source.names |= {"ghost": info.ghost, "fill": compile_fill(info, decoders)}
        lines += ["    if find_changes_inside(o, mutable):", "        if o.__class__ is ghost:"]
        lines += [f"            fill(o, {values})", "        return"]
    # decoded before anything is written: what cannot be read leaves the object as it is
    new_values = source.values_of(part, decode_key=False)
    lines += [f"    x{i} = {value}" for i, (_, value) in enumerate(new_values)]
    lines.append("    set_class(o, twin)")
    lines += [f"    o.{name} = x{i}" for i, (name, _) in enumerate(new_values)]
    source.names["unset_silently"] = unset_silently
    lines += [f"    unset_silently(o, {name!r})" for name in info.fields if name in info.read_late]
    lines += ["    o.__orm_origin__ = origin", "    o.__orm_changes__ = None", "    set_class(o, cls)"]
    lines += ["    if o.__orm_related__ is not None:", "        prune(o)"]
    return compile_function("refresh", "\n".join(lines), source.names)


class _Source:
    """The text of one loader, and the names it uses."""

    def __init__(self, shape: RowShape, decoders: Decoders) -> None:
        self.shape = shape
        self.decoders = decoders
        self.names: dict[str, Any] = {}
        self.read: dict[int, Decoded] = {}
        self.makes_objects = any(isinstance(part, EntityPart) for part in shape.parts)
        self.infos = [part.info for part in shape.parts if isinstance(part, EntityPart)]

    def text(self) -> str:
        """Gives the function."""
        values = [part for part in self.shape.parts if isinstance(part, ValuePart)]
        if len(values) == len(self.shape.parts) and not any(self.decoders(part.type) for part in values):
            return self._plain()
        grouped = self.shape.output == "groups"
        head = ["out = {}" if grouped else "out = []"]
        if self.makes_objects:
            head.append("number = origin.number")
        body: list[str] = []
        items: list[str] = []
        for position, part in enumerate(self.shape.parts):
            if isinstance(part, EntityPart):
                head += self._entity_head(position, part)
                # before those that it belongs to, who are made with what belongs to them
                body = self._entity(position, part) + body
                if part.attached is None:
                    items.append(f"o{position}")
            elif isinstance(part, KeyPart):
                items.append(self._key_of(part))
            else:
                items.append(self._decoded(part.index, part.type, f"column {part.index + 1} of the result"))
        variables = ", ".join(f"v{i}" for i in range(self.shape.width))
        loop = f"for {variables}{',' if self.shape.width == 1 else ''} in rows:"
        body += _grouping(items) if grouped else [f"out.append({self._item(items)})"]
        result = "[out]" if grouped else "out"
        lines = [*head, loop, *(f"    {line}" for line in body), f"return {result}"]
        if self.read:
            self.names |= {"refuse_unreadable": refuse_unreadable, "decoded": self.read}
            failed = ["except Exception as error:", "    refuse_unreadable(error, rows, decoded)", "    raise"]
            lines = ["try:", *(f"    {line}" for line in lines), *failed]
        return "\n".join([_HEAD, *(f"    {line}" for line in lines)])

    def _plain(self) -> str:
        """Gives the function for rows the driver already has in their final form."""
        if self.shape.output == "scalars":
            return f"{_HEAD}\n    return [row[0] for row in rows]"
        if self.shape.output == "dicts":
            items = ", ".join(f"{name!r}: row[{i}]" for i, name in enumerate(self.shape.names))
            return f"{_HEAD}\n    return [{{{items}}} for row in rows]"
        if len(self.shape.parts) < self.shape.width:
            # what was read beside the rows is no part of them
            return f"{_HEAD}\n    return [tuple(row[:{len(self.shape.parts)}]) for row in rows]"
        return f"{_HEAD}\n    return list(map(tuple, rows))"

    def _item(self, items: list[str]) -> str:
        if self.shape.output in ("entities", "scalars"):
            return items[0]
        if self.shape.output == "dicts":
            return "{" + ", ".join(f"{n!r}: {item}" for n, item in zip(self.shape.names, items, strict=True)) + "}"
        return "(" + ", ".join(items) + ",)"

    def _key_of(self, part: KeyPart) -> str:
        places = enumerate(part.types, part.start)
        values = [self._decoded(index, type_, f"column {index + 1} of the result") for index, type_ in places]
        return values[0] if len(values) == 1 else f"({', '.join(values)})"

    def _decoded(self, index: int, type_: SqlType, what: str) -> str:
        decode = self.decoders(type_) or copier(type_)
        if decode is None:
            return f"v{index}"
        self.names[f"d{index}"] = decode
        self.read[index] = Decoded(what, type_.name, decode)
        return f"None if v{index} is None else d{index}(v{index})"

    # ---- objects

    def _entity_head(self, position: int, part: EntityPart) -> list[str]:
        self.names[f"info{position}"] = part.info
        self.names[f"twin{position}"] = part.info.twin
        self.names[f"cls{position}"] = part.info.cls
        self.names[f"ghost{position}"] = part.info.ghost
        self.names[f"fill{position}"] = compile_fill(part.info, self.decoders, part.names)
        self.names[f"refresh{position}"] = (
            compile_refresh(part.info, self.decoders)
            if part.names is None
            else compile_take(part.info, self.decoders, part.names)
        )
        return [f"known{position} = identity(info{position})"]

    def _entity(self, position: int, part: EntityPart) -> list[str]:
        lines, key = self._key(position, part)
        o = f"o{position}"
        values = ", ".join(f"v{part.start + i}" for i in range(len(part.columns)))
        create = [
            f"{o} = twin{position}()",
            *(f"{o}.{name} = {value}" for name, value in self.values_of(part, decode_key=True)),
            f"{o}.__orm_origin__ = origin",
            f"{o}.__orm_changes__ = None",
            *self._related(position),
            f"{o}.__class__ = {'cls' if part.names is None else 'ghost'}{position}",
            # at the end: an object whose row cannot be read is never met again
            f"known{position}[{key}] = {o}",
        ]
        known = [
            f"if {o}.__orm_changes__ is None:",
            f"    if {o}.__orm_origin__.number < number:",
            "        if remember is not None:",
            f"            remember({o})",
            f"        refresh{position}({o}, origin, {values})",
            f"    elif {o}.__class__ is ghost{position}{self._unless_just_made(position, part)}:",
            f"        fill{position}({o}, {values})",
            f"elif {o}.__class__ is ghost{position}:",
            f"    fill{position}({o}, {values})",
        ]
        if all(other.names is None for other in self.shape.parts if isinstance(other, EntityPart)):
            # what came by a row before needs nothing of this one
            known = [f"if {o}.__orm_origin__ is not origin:", *(f"    {line}" for line in known)]
        known = [f"{o} = known{position}[{key}]", *known, *self._attaching(position)]
        # asked by `in`, which is no call: most are not known yet
        lines += [f"if {key} in known{position}:", *(f"    {line}" for line in known)]
        lines += ["else:", *(f"    {line}" for line in create)]
        if part.optional:
            first = self._key_indexes(part)[0]
            return [f"if v{first} is None:", f"    {o} = None", "else:", *(f"    {line}" for line in lines)]
        return lines

    def _unless_just_made(self, position: int, part: EntityPart) -> str:
        # met again in the same rows it lacks the same columns, but for what another part of the row brings
        alone = part.names is not None and self.infos.count(part.info) == 1
        return f" and o{position}.__orm_origin__ is not origin" if alone else ""

    def _attached(self, position: int) -> list[tuple[str, RelationInfo, bool]]:
        """Gives what came along with a part's objects: its name, the relation, and whether None tells nothing."""
        found: list[tuple[str, RelationInfo, bool]] = []
        for place, part in enumerate(self.shape.parts):
            if isinstance(part, EntityPart) and part.attached is not None and part.attached[0] == position:
                relation = part.attached[1]
                # a key of None tells itself that there is none
                found.append((f"o{place}", relation, part.optional and relation.kind == "to_one"))
        return found

    def _related(self, position: int) -> list[str]:
        """Gives the lines that give a new object those that came along with it."""
        o, attached = f"o{position}", self._attached(position)
        sure = ", ".join(f"{relation.name!r}: {held}" for held, relation, doubtful in attached if not doubtful)
        lines = [f"related = {{{sure}}}" if sure else "related = None"]
        for held, relation, doubtful in attached:
            if doubtful:
                lines += [
                    f"if {held} is not None:",
                    "    related = related or {}",
                    f"    related[{relation.name!r}] = {held}",
                ]
        return [*lines, f"{o}.__orm_related__ = related"] if attached else [f"{o}.__orm_related__ = None"]

    def _attaching(self, position: int) -> list[str]:
        """Gives the lines that give a known object those; what the row did not bring up to date is looked at."""
        lines: list[str] = []
        for held, relation, doubtful in self._attached(position):
            p, name = f"o{position}", repr(relation.name)
            self.names.update({f"relation_{held}": relation, "attach": attach, "set_related": _SET_RELATED})
            attaching = [
                f"if {p}.__orm_origin__ is not origin or {p}.__orm_changes__ is not None:",
                f"    attach({p}, relation_{held}, {held})",
                f"elif {p}.__orm_related__ is None:",
                f"    set_related({p}, {{{name}: {held}}})",
                "else:",
                f"    {p}.__orm_related__[{name}] = {held}",
            ]
            if doubtful:
                attaching = [f"if {held} is not None:", *(f"    {line}" for line in attaching)]
            lines += attaching
        return lines

    def _key_indexes(self, part: EntityPart) -> list[int]:
        names = list(part.names or part.info.fields)
        return [part.start + names.index(name) for name in part.info.key_attributes]

    def _key(self, position: int, part: EntityPart) -> tuple[list[str], str]:
        """Gives the lines that decode the key, and the expression that names it."""
        lines: list[str] = []
        parts: list[str] = []
        for index, column in zip(self._key_indexes(part), part.info.key_columns, strict=True):
            decode = self.decoders(column.type)
            if decode is None:
                parts.append(f"v{index}")
                continue
            self.names[f"d{index}"] = decode
            self.read[index] = Decoded(f"{part.info.name}.{column.attribute}", column.type.name, decode)
            lines.append(f"k{index} = d{index}(v{index})")
            parts.append(f"k{index}")
        if len(parts) == 1:
            return lines, parts[0]
        lines.append(f"key{position} = ({', '.join(parts)})")
        return lines, f"key{position}"

    def values_of(self, part: EntityPart, *, decode_key: bool) -> list[tuple[str, str]]:
        """Gives each attribute of an object with the expression of its value."""
        found: list[tuple[str, str]] = []
        key = set(part.info.key_attributes)
        raw: dict[str, str] = {}
        for index, column in enumerate(part.columns, part.start):
            if column.attribute in part.info.read_late:
                # nobody may ever ask for it
                self.names[f"d{index}"] = self.decoders(column.type) or copier(column.type)
                raw[column.attribute] = f"(v{index}, d{index})"
                continue
            decoded = self._decoded(index, column.type, f"{part.info.name}.{column.attribute}")
            if decode_key and column.attribute in key and decoded != f"v{index}":
                decoded = f"k{index}"
            found.append((column.attribute, decoded))
            raw[column.attribute] = f"v{index}"
        if part.info.mutable_columns:
            kept = (raw.get(column.attribute, "None") for column in part.info.mutable_columns)
            found.append(("__orm_raw__", f"({', '.join(kept)},)"))
        return found


def _grouping(items: Sequence[str]) -> list[str]:
    """Gives the lines that put the last of a row's items among those of the key before it."""
    *key, item = items
    whole = key[0] if len(key) == 1 else f"({', '.join(key)})"
    return [f"key = {whole}", "if key in out:", f"    out[key].append({item})", "else:", f"    out[key] = [{item}]"]


_LOAD_ANY = f"""
def load_any(rows, identity, origin, remember=None):
    if len(rows) > {MANY}:
        return without_collector(load, rows, identity, origin, remember)
    return load(rows, identity, origin, remember)
"""
