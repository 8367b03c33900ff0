"""What tests of programs and of adapters are made with."""

from __future__ import annotations

from cormorant.testing.recording import Recorded, RecordingAdapter

__all__ = ["Recorded", "RecordingAdapter"]
