"""What tests of programs and of adapters are made with."""

from __future__ import annotations
