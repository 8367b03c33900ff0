"""What BEGIN and savepoints wait in for the next statement."""

from __future__ import annotations

from cormorant.adapters.postgresql_ahead import Ahead

# Parse, Bind and Execute without names, as PostgreSQL's protocol has them: kind, length, content
BEGIN = b"P\0\0\0\x0d\0BEGIN\0\0\0" + b"B\0\0\0\x0c" + bytes(8) + b"E\0\0\0\x09" + bytes(5)


class Transport:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(bytes(data))


class ForeignTransport:
    """One that stands no further attributes, as those of other event loops."""

    __slots__ = ("sent",)

    def write(self, data: bytes) -> None:
        raise AssertionError(data)


def test_it_goes_before_the_first_piece_alone() -> None:
    transport = Transport()
    ahead = Ahead(transport)
    assert ahead.is_possible
    ahead.waiting = ("BEGIN",)
    with ahead:
        transport.write(memoryview(b"first"))
        assert ahead.waiting == ()
        transport.write(b"second")
    transport.write(b"third")
    assert transport.sent == [BEGIN + b"first", b"second", b"third"]
    assert "write" not in vars(transport)


def test_what_is_never_sent_leaves_it_waiting() -> None:
    transport = Transport()
    ahead = Ahead(transport)
    ahead.waiting = ("BEGIN", "SAVEPOINT a")
    with ahead:
        pass
    assert ahead.waiting == ("BEGIN", "SAVEPOINT a")
    transport.write(b"alone")
    assert transport.sent == [b"alone"]


def test_a_transport_that_cannot_be_led_elsewhere() -> None:
    assert not Ahead(ForeignTransport()).is_possible
