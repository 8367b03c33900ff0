"""What work a statement belongs to: an id for logs and traces, and tags for comments in SQL."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from urllib.parse import quote

from cormorant.errors import WrongType

_correlation: ContextVar[str | None] = ContextVar("cormorant_correlation", default=None)
_tags: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("cormorant_tags", default=())


def correlation_id() -> str | None:
    """Gives the id of the work that the calling context belongs to, or None."""
    return _correlation.get()


def set_correlation_id(value: str | None) -> Token[str | None]:
    """Sets the id of the work that the calling context, and tasks it starts, belong to; logs have it.

    Args:
        value: The id, say of a request; None for none.

    Returns:
        What `ContextVar.reset` takes; a context that ends needs no reset.

    Example:
        >>> set_correlation_id(request.headers.get("x-request-id"))
    """
    return _correlation.set(value)


@contextmanager
def query_tags(**tags: str) -> Generator[None, None, None]:
    """Tags the statements of a block, and of tasks it starts, for `Database(query_comments=True)`.

    Args:
        tags: Names and values, such as `route="/articles"`; those of a block around stay.

    Raises:
        WrongType: A value is no text.

    Example:
        >>> with query_tags(route="/articles/{id}"):
        ...     await session.get(Article, 1)       # SELECT ... /*route='%2Farticles%2F%7Bid%7D'*/
    """
    for name, value in tags.items():
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise WrongType(
                f"the tag {name} is {value!r} ({type(value).__name__}), and tags are texts", hint="str(...)"
            )
    before = _tags.get()
    _tags.set(tuple(sorted({**dict(before), **tags}.items())))
    try:
        yield
    finally:
        # not by a token: generators and fixtures leave in other contexts
        _tags.set(before)


def comment() -> str:
    """Gives the tags as a comment that ends a statement, in the form that sqlcommenter has made common.

    Source: https://google.github.io/sqlcommenter/spec/. Quotes and asterisks are encoded: no value ends the comment.
    """
    tags = _tags.get()
    pairs = [f"{_encoded(name)}='{_encoded(value)}'" for name, value in tags]
    return f" /*{','.join(pairs)}*/" if tags else ""


def _encoded(text: str) -> str:
    # a path may have come with bytes that are no text
    return quote(text, safe="", errors="surrogatepass")
