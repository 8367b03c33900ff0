"""What every adapter must do, as tests that a test class for an adapter inherits; they need pytest-asyncio.

The tests are coroutines: run them with `asyncio_mode = auto`.
"""

from __future__ import annotations

from cormorant.testing.conformance.answers import Answers
from cormorant.testing.conformance.base import SECRET, MakeAdapter
from cormorant.testing.conformance.cancelling import Cancelling
from cormorant.testing.conformance.cursors import Cursors
from cormorant.testing.conformance.offers import Offers
from cormorant.testing.conformance.pooling import Pooling
from cormorant.testing.conformance.refusals import Refusals
from cormorant.testing.conformance.transactions import Transactions

__all__ = ["SECRET", "AdapterConformance", "MakeAdapter"]


class AdapterConformance(Answers, Refusals, Cursors, Transactions, Cancelling, Pooling, Offers):
    """The tests of an adapter; an inheriting class says where an empty database is, and the words that differ.

    It gives the fixture `config`, the method `start_slow` and the attributes `placeholder` and `data_error`; the others
    have values that fit most adapters.

    Example:
        >>> class TestMyAdapter(AdapterConformance):
        ...     placeholder = "$"
        ...     data_error = "SELECT CAST(name AS integer) FROM author"
    """
