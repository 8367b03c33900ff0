"""Thirty secrets, and models that keep them: what is shown of a program's work shows none of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from cormorant import Many, Mapped, Model, One, field, foreign_key, generated, many_to_many


class Vault(Model, table="secret_vault"):
    """Columns that are named like secrets, and columns that say they are."""

    id: Mapped[int] = generated(primary_key=True)
    owner: Mapped[str] = field(unique=True)
    # by name
    password: Mapped[str] = field(default="")
    password_hash: Mapped[str] = field(default="")
    passphrase: Mapped[str] = field(default="")
    api_key: Mapped[str] = field(default="", unique=True)
    secret: Mapped[bytes] = field(default=b"")
    access_token: Mapped[str] = field(default="")
    refresh_token: Mapped[str] = field(default="")
    client_secret: Mapped[str] = field(default="")
    private_key: Mapped[str] = field(default="")
    credentials: Mapped[dict[str, Any]] = field(default_factory=dict)
    pin: Mapped[int] = field(default=0)
    otp: Mapped[str] = field(default="")
    cvv: Mapped[str] = field(default="")
    iban: Mapped[str] = field(default="")
    ssn: Mapped[str] = field(default="")
    authorization: Mapped[str] = field(default="")
    # by what they say
    card: Mapped[str] = field(default="", sensitive=True, max_length=40)
    diagnosis: Mapped[str] = field(default="", sensitive=True)
    salary: Mapped[Decimal] = field(default=Decimal(0), sensitive=True, ge=0)
    born: Mapped[date] = field(default=date(2000, 1, 1), sensitive=True)
    device: Mapped[UUID] = field(default=UUID(int=0), sensitive=True)
    answers: Mapped[list[str]] = field(default_factory=list, sensitive=True)
    hidden: Mapped[str] = field(default="", column="obscure_name", sensitive=True)


class Locker(Model, table="secret_locker"):
    """A key that is a secret."""

    token: Mapped[str] = field(primary_key=True)
    label: Mapped[str] = field(default="")


class Drawer(Model, table="secret_drawer"):
    """A row that points to a key that is a secret."""

    id: Mapped[int] = generated(primary_key=True)
    locker: One[Locker] = foreign_key()
    others: Many[Locker] = many_to_many()


COLUMNS: dict[str, Any] = {
    "password": "pw-01-correct-horse",
    "password_hash": "$2b$12$02hashhashhashhash",
    "passphrase": "03 battery staple",
    "api_key": "AKIA04EXAMPLEEXAMPLE",
    "secret": b"05-raw-secret-bytes",
    "access_token": "eyJhbGciOi.06access",
    "refresh_token": "07-refresh-me",
    "client_secret": "08-client-shush",
    "private_key": "-----BEGIN 09 PRIVATE-----",
    "credentials": {"user": "app", "password": "10-in-a-document"},
    # long, because six digits were met by chance in a time that a report showed
    "pin": 1_911_011_911,
    "otp": "12-994-301",
    "cvv": "13-737",
    "iban": "DE14370400440532013000",
    "ssn": "078-05-1512",
    "authorization": "Bearer 16-abcdef",
    "card": "4111-1111-1111-1711",
    "diagnosis": "18 chronic something",
    "salary": Decimal("191919.19"),
    "born": date(1920, 2, 20),
    "device": UUID("21212121-2121-4121-8121-212121212121"),
    "answers": ["22-mother's maiden name"],
    "hidden": "23-under-another-name",
}
KEY = "24-a-key-that-is-a-token"
IN_SQL = "25-in-the-text-of-sql"
IN_RAW = "26-a-parameter-of-raw-sql"
IN_A_URL = "27-in-a-url"
IN_A_TEXT = "28-token-in-a-text"
LATER = "29-another-password"
DSN_PASSWORD = "30-of-the-dsn"


def texts() -> list[str]:
    """The secrets as they would be seen."""
    found = [str(value) for name, value in COLUMNS.items() if name not in ("credentials", "answers", "secret", "born")]
    found += ["10-in-a-document", "maiden name", "05-raw-secret-bytes", "1920-02-20"]
    return [*found, KEY, IN_SQL, IN_RAW, IN_A_URL, IN_A_TEXT, LATER, DSN_PASSWORD]
