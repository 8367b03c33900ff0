"""`python -m cormorant.cli` is the script `cormorant`."""

from __future__ import annotations

from cormorant.cli.main import app

app()
