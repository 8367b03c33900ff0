"""What tests of programs and of adapters are made with."""

from __future__ import annotations

from cormorant.testing.keeper import Keeper
from cormorant.testing.queries import assert_queries
from cormorant.testing.recording import Recorded, RecordingAdapter
from cormorant.testing.sandbox import Sandbox

__all__ = ["Keeper", "Recorded", "RecordingAdapter", "Sandbox", "assert_queries"]
