"""Databases that test processes make for themselves."""

from __future__ import annotations

import pytest

from cormorant.errors import ConfigurationError
from cormorant.testing.keeper import Keeper
from cormorant.testing.own_database import own_database


@pytest.mark.parametrize("name", ["x" * 60, "ü" * 30])
def test_a_name_that_the_server_would_cut_is_refused_before_anything_is_dropped(name: str) -> None:
    keeper = Keeper()
    # nobody listens there: whoever asked the server would get another error
    made = own_database(f"postgresql://h@127.0.0.1:1/{name}", "gw10", keeper)
    try:
        with pytest.raises(ConfigurationError, match="63 bytes"), made:
            raise AssertionError
    finally:
        keeper.stop()
