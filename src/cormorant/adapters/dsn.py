"""Reading a DSN, and the texts of options; no error quotes what may be a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote

from cormorant.dialects.base import check_isolation
from cormorant.errors import ConfigurationError, suggest

Address: TypeAlias = tuple[str, int | None]
"""A host, or the folder of a Unix socket, and its port."""

MEMORY = ":memory:"
DSN_EXAMPLE = "postgresql://user:password@host:5432/database or sqlite:///file.db"

_FORGOTTEN_ESCAPE = "percent-encode the characters : / ? # [ ] @ % in names, passwords and options, '@' as %40"

_schemes: dict[str, str] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+asyncpg": "postgresql",
    "postgres+asyncpg": "postgresql",
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
}


def add_scheme(scheme: str) -> None:
    """Makes a DSN scheme known, for an adapter of a third party."""
    _schemes[scheme] = scheme


def check_scheme(scheme: str) -> None:
    """Refuses a scheme no adapter serves."""
    if scheme not in _schemes.values():
        raise _unknown_scheme(scheme)


def parse_dsn(dsn: str) -> dict[str, Any]:
    """Gives a DSN's parts and options by the names of ConnectionConfig's fields.

    Raises:
        ConfigurationError: The DSN cannot be read; the message never shows its password.
    """
    scheme, separator, rest = dsn.partition(":")
    name = _schemes.get(scheme.lower())
    if name is None or not separator:
        raise _unknown_scheme(scheme if separator else "")
    # urlsplit would drop them silently, and with them a part of the password
    if any(ord(char) < 32 for char in dsn):
        raise ConfigurationError("the DSN holds control characters", hint="percent-encode them, a line break as %0A")
    if name == "sqlite":
        return _parse_sqlite(rest)
    return {"scheme": name} | _parse_server(_split(f"{name}:{rest}", name))


def _split(dsn: str, scheme: str) -> SplitResult:
    parts = _parts(dsn)
    if parts is None:
        raise ConfigurationError(f"the {scheme} DSN cannot be read", hint=_FORGOTTEN_ESCAPE)
    # more than one part of such a DSN may be a piece of the password, so none of them is shown
    if parts.fragment or "@" in parts.path + parts.query:
        raise ConfigurationError(
            f"the {scheme} DSN has a reserved character in one of its parts", hint=_FORGOTTEN_ESCAPE
        )
    return parts


def _parts(dsn: str) -> SplitResult | None:
    """Gives the parts of a URL (RFC 3986, 3.); None where brackets do not match.

    `urlsplit` of the standard library would refuse "one,[::1]:2", in some versions: it knows one host only.
    """
    scheme, _, rest = dsn.partition(":")
    before, _, fragment = rest.partition("#")
    hierarchy, _, query = before.partition("?")
    if not hierarchy.startswith("//"):
        return SplitResult(scheme, "", hierarchy, query, fragment)
    netloc, slash, path = hierarchy[2:].partition("/")
    if netloc.count("[") != netloc.count("]"):
        return None
    return SplitResult(scheme, netloc, slash + path, query, fragment)


def _parse_server(parts: SplitResult) -> dict[str, Any]:
    login, _, address = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    values: dict[str, Any] = {}
    if user:
        values["user"] = unquote(user)
    if colon:
        values["password"] = unquote(password)
    if parts.path.strip("/"):
        values["database"] = unquote(parts.path[1:])
    # what stands before the question mark is stronger
    options = _options(parts.query) | values
    hosts = _hosts(address or options.get("host", ""), options.get("port"))
    if len(hosts) > 1:
        return options | {"host": None, "port": None, "hosts": tuple(hosts)}
    for host, port in hosts:
        options |= {"host": host or None, "port": port}
    return options


def _hosts(text: str, port: int | None) -> list[Address]:
    return [_address(part, port) for part in text.split(",")] if text else []


def _address(text: str, default: int | None) -> Address:
    # an IPv6 address holds colons itself, and comes in brackets
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    return unquote(host), _port(host, port) if port else default


def _port(host: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    # the text itself stays out: it may be a password that lost its '@host'
    raise ConfigurationError(
        f"the port after the host {host!r} is no number from 1 to 65535",
        hint=f"write host:5432; in a password, {_FORGOTTEN_ESCAPE}",
    )


def _parse_sqlite(rest: str) -> dict[str, Any]:
    body, _, query = rest.partition("?")
    options = _options(query)
    for name in ("host", "user", "password", "database"):
        if name in options:
            raise ConfigurationError(f"the option {name!r} means nothing to SQLite", hint="leave it out")
    return {"scheme": "sqlite", "path": _sqlite_path(body)} | options


def _sqlite_path(body: str) -> str:
    if body in ("", "//", "///", f"//{MEMORY}", f"///{MEMORY}", MEMORY):
        return MEMORY
    if not body.startswith("///"):
        raise ConfigurationError(
            "the SQLite DSN names a host",
            hint="write sqlite:///relative.db with three slashes, sqlite:////absolute.db with four",
        )
    return unquote(body[3:])


def _options(query: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        name = _ALIASES.get(option, option)
        read = READERS.get(name)
        if read is None:
            raise ConfigurationError(f"the DSN has an unknown option {option!r}", hint=suggest(option, READERS))
        values[name] = read(option, text)
    return values


# ---- reading texts


def _text(option: str, text: str) -> str:
    return text


def _boolean(option: str, text: str) -> bool:
    value = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in value:
        raise ConfigurationError(f"{option}={text!r} is no truth value", hint="write true or false")
    return value[text.lower()]


def _integer(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{option}={text!r} is no whole number", hint=f"write {option}=5") from None


def _port_option(option: str, text: str) -> int:
    return _port(option, text)


def _seconds(option: str, text: str) -> float | None:
    if text.lower() in ("", "none"):
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(
            f"{option}={text!r} is no number of seconds", hint=f"write {option}=2.5, or {option}=none for no limit"
        ) from None


def _isolation(option: str, text: str) -> str:
    level = text.lower().replace("_", " ").replace("-", " ")
    check_isolation(level)
    return level


READERS: dict[str, Callable[[str, str], Any]] = {
    "acquire_timeout": _seconds,
    "application_name": _text,
    "autocommit": _boolean,
    "busy_timeout": _seconds,
    "connect_timeout": _seconds,
    "database": _text,
    "host": _text,
    "isolation": _isolation,
    "listen_dsn": _text,
    "lock_timeout": _seconds,
    "max_connection_age": _seconds,
    "max_waiting": _integer,
    "min_pool_size": _integer,
    "on_loop": _boolean,
    "password": _text,
    "pool_size": _integer,
    "pooler": _text,
    "port": _port_option,
    "ssl": _text,
    "ssl_cert": _text,
    "ssl_key": _text,
    "ssl_root_cert": _text,
    "statement_cache_size": _integer,
    "statement_timeout": _seconds,
    "target_session_attrs": _text,
    "user": _text,
}

_ALIASES = {
    "dbname": "database",
    "isolation_level": "isolation",
    "sslmode": "ssl",
    "sslcert": "ssl_cert",
    "sslkey": "ssl_key",
    "sslrootcert": "ssl_root_cert",
}


def _unknown_scheme(scheme: str) -> ConfigurationError:
    message = f"no database is known by the scheme {scheme!r}" if scheme else "the DSN has no scheme"
    return ConfigurationError(message, hint=f"write {DSN_EXAMPLE}")
