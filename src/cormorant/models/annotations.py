"""Annotations: told apart when a class is made, resolved when they are first needed."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import re
import sys
import types
import typing
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

import typing_extensions

from cormorant.errors import ModelError, UnresolvedReference
from cormorant.models.documents import json_type
from cormorant.sql import types as t

Kind = Literal["column", "one", "many", "class variable", "other"]

_HEADS: dict[str, Kind] = {"Mapped": "column", "One": "one", "Many": "many", "ClassVar": "class variable"}


class ResolvedType(NamedTuple):
    """A column annotation's meaning: the Python type without None, whether None is allowed, and its metadata."""

    python: Any
    nullable: bool
    metadata: tuple[Any, ...]


def annotations_of(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the annotations of a class body that is about to become a class, unevaluated where possible."""
    if "__annotations__" in namespace:
        return dict(namespace["__annotations__"])
    if sys.version_info >= (3, 14):
        annotationlib = import_module("annotationlib")
        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            return dict(annotationlib.call_annotate_function(annotate, annotationlib.Format.STRING))
    return {}


def module_names(module: str) -> Mapping[str, Any]:
    """Gives a module's globals; nothing for code that runs outside of any module."""
    found = sys.modules.get(module)
    return {} if found is None else vars(found)


def kind_of(annotation: Any, module_names: Mapping[str, Any]) -> Kind:
    """Tells what an annotation declares, from its head alone: `Mapped[...]`, `One[...]`, `Many[...]`."""
    if isinstance(annotation, str):
        head = annotation.split("[", 1)[0].strip().strip("\"'")
        name = head.rpartition(".")[2]
        found = module_names.get(name) if "." not in head else None
        return _HEADS.get(getattr(found, "__name__", name), _HEADS.get(name, "other"))
    if typing.get_origin(annotation) is typing.ClassVar or annotation is typing.ClassVar:
        return "class variable"
    head_class = typing.get_origin(annotation) or annotation
    return _HEADS.get(getattr(head_class, "__name__", ""), "other")


class Names(Mapping[str, Any]):
    """The names an annotation may use: the defining function's, the module's, then models known by name.

    Args:
        module_names: The module's globals.
        local_names: The names around the class where it was made.
        find_model: Gives a model by name, or None.
        type_arguments: What the type variables of generic bases stand for.
    """

    def __init__(
        self,
        module_names: Mapping[str, Any],
        local_names: Mapping[str, Any] | None,
        find_model: Any,
        type_arguments: Mapping[Any, Any],
    ) -> None:
        self.type_arguments = type_arguments
        self._found_by_path: dict[str, Any] = {}
        self._places = [self._found_by_path, local_names or {}, module_names, vars(import_module("builtins"))]
        self._find_model = find_model

    def __getitem__(self, name: str) -> Any:
        for place in self._places:
            if name in place:
                return place[name]
        model = self._find_model(name)
        if model is None:
            raise KeyError(name)
        return model

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def with_path_found(self, annotation: str, missing: str | None) -> str | None:
        """Gives the annotation with a model's path made one name, where its module is imported for checkers only."""
        for path in re.findall(rf"\b{missing}(?:\.\w+)+", annotation):
            model = self._find_model(path)
            if model is not None:
                name = path.replace(".", "__")
                self._found_by_path[name] = model
                return annotation.replace(path, name)
        return None


def argument_of(annotation: Any, names: Names, place: str, module: str) -> Any:
    """Gives X of `Mapped[X]`, `One[X]` or `Many[X]`, with every name resolved.

    Raises:
        UnresolvedReference: Naming the field, the module and the remedy.
    """
    evaluated = evaluate(annotation, names, place, module)
    arguments = typing.get_args(evaluated)
    if not arguments:
        raise ModelError(f"{place} is annotated {annotation!r} without a type", hint="write Mapped[int], One[Author]")
    argument = evaluate(arguments[0], names, place, module)
    return _substituted(argument, names.type_arguments)


def type_arguments_of(cls: Any) -> dict[Any, Any]:
    """Gives what the type variables of a class's generic bases stand for: `class Flag(Setting[bool])`."""
    found: dict[Any, Any] = {}
    mro: tuple[type, ...] = cls.__mro__
    for base in mro:
        for generic in vars(base).get("__orig_bases__", ()):
            variables: tuple[Any, ...] = getattr(typing.get_origin(generic), "__parameters__", ())
            for variable, argument in zip(variables, typing.get_args(generic), strict=False):
                found.setdefault(variable, _substituted(argument, found))
    return found


def _substituted(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    if isinstance(annotation, (typing.TypeVar, typing_extensions.TypeVar)):
        return arguments.get(annotation, annotation)
    variables = getattr(annotation, "__parameters__", ())
    if not arguments or not variables or isinstance(annotation, type):
        return annotation
    return annotation[tuple(arguments.get(variable, variable) for variable in variables)]


# what is evaluated in C may import, and generic classes do so since Python 3.12
_IMPORT = {"__import__": __import__}


class _Globals(dict[str, Any]):
    """Where functions that are written in an annotation find their names when they are called.

    What is written outside of them is found among the locals, before anything is missed here.
    """

    def __init__(self, names: Names) -> None:
        super().__init__(__builtins__=_IMPORT)
        self._names = names

    def __missing__(self, name: str) -> Any:
        return self._names[name]


def evaluate(annotation: Any, names: Names, place: str, module: str) -> Any:
    """Gives the object an annotation, or a part of one, stands for."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    try:
        # a locals mapping may be any mapping; globals must be a dict, and must not answer first
        found = eval(annotation, _Globals(names), names)
    except NameError as error:
        shorter = names.with_path_found(annotation, error.name)
        if shorter is not None:
            return evaluate(shorter, names, place, module)
        raise UnresolvedReference(
            f"{place} in module {module!r} is annotated {annotation!r}, and the name {error.name!r} was never found",
            hint="import the module that defines it before the first query; names imported under TYPE_CHECKING "
            "can only be models",
        ) from None
    except (SyntaxError, TypeError, AttributeError) as error:
        raise ModelError(f"{place} is annotated {annotation!r}, which cannot be evaluated: {error}") from error
    # text in quotes within postponed annotations is text twice
    return evaluate(found, names, place, module) if isinstance(found, str) else found


# typing_extensions has classes of its own on versions of Python that lack something
_NEW_TYPES = {typing.NewType, typing_extensions.NewType}
_ALIASES = {typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", None)}


def without_none(annotation: Any, names: Names, place: str, module: str) -> ResolvedType:
    """Splits None, Annotated and NewType off a type."""
    metadata: tuple[Any, ...] = ()
    nullable = False
    while True:
        annotation = evaluate(annotation, names, place, module)
        origin = typing.get_origin(annotation)
        if origin in (typing.Union, types.UnionType):
            members = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
            nullable = nullable or len(members) < len(typing.get_args(annotation))
            if len(members) != 1:
                raise ModelError(f"{place} has several types: {annotation}", hint="one type, perhaps | None")
            annotation = members[0]
        elif origin is typing.Annotated or origin is typing_extensions.Annotated:
            metadata += annotation.__metadata__
            annotation = typing.get_args(annotation)[0]
        elif type(annotation) in _NEW_TYPES:
            annotation = annotation.__supertype__
        elif type(annotation) in _ALIASES:
            annotation = annotation.__value__
        else:
            return ResolvedType(annotation, nullable, metadata)


def column_type(resolved: ResolvedType, options: Mapping[str, Any], place: str, *, key: bool = False) -> t.SqlType:
    """Gives the column type of a Python type.

    Args:
        resolved: The annotation's meaning.
        options: What `field()` was given.
        place: What messages call the column.
        key: The database numbers the column, which then has 64 bits.
    """
    explicit = options.get("type") or next((item for item in resolved.metadata if isinstance(item, t.SqlType)), None)
    if explicit is not None:
        return explicit
    found = _by_python_type(resolved, options, place, key=key)
    for name, kind in _OPTIONS.items():
        item = found.item if isinstance(found, t.Array) and name not in ("max_length", "min_length") else found
        if options.get(name) is not None and not isinstance(item, kind):
            raise ModelError(
                f"{place} has {name}={options[name]!r}, which says nothing of a {found.name} column",
                hint=f"leave it out; it belongs to {kind.name} columns",
            )
    return found


_OPTIONS: dict[str, type[t.SqlType]] = {
    "max_length": t.Text,
    "min_length": t.Text,
    "pattern": t.Text,
    "size": t.Integer,
    "precision": t.Numeric,
    "decimal_places": t.Numeric,
    "native": t.Enumeration,
}


def _by_python_type(resolved: ResolvedType, options: Mapping[str, Any], place: str, *, key: bool) -> t.SqlType:
    python = resolved.python
    if python is int:
        return t.Integer(options.get("size") or ("big" if key else "normal"))
    if python is str:
        return t.Text(options.get("max_length") or _max_length(resolved.metadata))
    if python is decimal.Decimal:
        return _numeric(options, place)
    if isinstance(python, type) and issubclass(python, enum.Enum):
        return _enumeration(python, options)
    if typing.get_origin(python) in (Literal, typing_extensions.Literal):
        return _literals(typing.get_args(python), place)
    plain = t.type_of_class(python) if isinstance(python, type) else None
    return plain or _composed(python, options, place)


def _composed(python: Any, options: Mapping[str, Any], place: str) -> t.SqlType:
    if typing.get_origin(python) is list:
        (item,) = typing.get_args(python)
        # what is said of the items is checked, and is no part of their type
        item = getattr(item, "__origin__", item) if hasattr(item, "__metadata__") else item
        if is_scalar(item):
            return t.Array(_by_python_type(ResolvedType(item, False, ()), options, place, key=False))
        return json_type(python, _name_of(python))
    if hasattr(python, "__info__"):
        # to pydantic a model is a structure like others
        raise ModelError(
            f"{place} has the type {python.__name__}, which is a model",
            hint=f"declare a relation: One[{python.__name__}] = foreign_key()",
        )
    if python is typing.Any or typing.get_origin(python) is dict or python in (dict, list) or _is_structured(python):
        return json_type(python, _name_of(python))
    raise ModelError(
        f"{place} has the type {_name_of(python)}, which no column type stands for",
        hint="use field(type=types.Custom(YourType, base=types.TEXT, encode=str, decode=YourType))",
    )


def is_scalar(python: Any) -> bool:
    """Whether a list of such values is an array column; lists of anything else are JSON."""
    return isinstance(python, type) and (t.type_of_class(python) is not None or issubclass(python, enum.Enum))


def _is_structured(python: Any) -> bool:
    origin = typing.get_origin(python) or python
    return (
        dataclasses.is_dataclass(origin)
        or typing_extensions.is_typeddict(origin)
        or hasattr(origin, "__pydantic_core_schema__")
        or hasattr(origin, "__get_pydantic_core_schema__")
    )


def _numeric(options: Mapping[str, Any], place: str) -> t.Numeric:
    precision, scale = options.get("precision"), options.get("decimal_places")
    if scale is not None and precision is None:
        raise ModelError(f"{place} has decimal_places without precision", hint="give both: precision=10")
    # as SQL has it, a precision alone means whole numbers
    return t.Numeric(precision, 0 if scale is None and precision is not None else scale)


def _enumeration(python: type[enum.Enum], options: Mapping[str, Any]) -> t.Enumeration:
    native = options.get("native")
    name = native if isinstance(native, str) else python.__name__.lower() if native else None
    values = [member.value for member in python]
    integers = not name and bool(values) and all(type(value) is int for value in values)
    return t.Enumeration(python, name, integers)


def _literals(values: tuple[Any, ...], place: str) -> t.Literals:
    kinds: set[type] = set(map(type, values))
    if kinds not in ({str}, {int}):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ModelError(f"{place} mixes {names} in Literal", hint="only str, or only int")
    return t.Literals(values)


def _max_length(metadata: tuple[Any, ...]) -> int | None:
    for item in metadata:
        # pydantic's Field() has the constraints in a list
        for each in (item, *(getattr(item, "metadata", None) or ())):
            if isinstance(getattr(each, "max_length", None), int):
                return int(each.max_length)
    return None


def _name_of(python: Any) -> str:
    return python.__name__ if isinstance(python, type) and not typing.get_args(python) else str(python)
