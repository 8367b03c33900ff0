"""Serves the blog: `python -m examples.fastapi_blog`, then http://127.0.0.1:8000/docs.

It makes blog.db in the current folder, or uses the database of CORMORANT_DSN.
"""

from __future__ import annotations

import argparse

import uvicorn

from examples.fastapi_blog.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.fastapi_blog", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--quiet", action="store_true", help="no line for each request")
    given = parser.parse_args()
    uvicorn.run(create_app(), host=given.host, port=given.port, access_log=not given.quiet)


if __name__ == "__main__":
    main()
