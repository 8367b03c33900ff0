"""Properties that are SQL expressions on the class and values on an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from cormorant.sql.expr import Expr

T = TypeVar("T")


class hybrid(Generic[T]):
    """A property that works on instances and in queries.

    The same function runs on both: `self` is an instance, or the class, or a relation path. Where SQL needs another
    form, `@name.expression` gives it.

    Example:
        >>> @hybrid
        ... def full(self) -> str:
        ...     return self.first + " " + self.last
        >>> session.query(Person).filter(Person.full == "Ada Lovelace")
        ... # WHERE "person"."first" || $1 || "person"."last" = $2
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.sql_function: Callable[[Any], Any] | None = None
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Expr[T]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> T: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.of(owner) if instance is None else self.function(instance)

    def of(self, source: Any) -> Any:
        """Gives the expression read from a model or a relation path."""
        return (self.sql_function or self.function)(source)

    def expression(self, function: Any) -> Any:
        """Declares the SQL form: a classmethod of the model."""
        self.sql_function = getattr(function, "__func__", function)
        return function
