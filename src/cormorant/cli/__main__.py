"""`python -m cormorant.cli` is the script `cormorant`."""

from __future__ import annotations

from cormorant.cli.main import app

if __name__ == "__main__":
    app()
