"""The same over HTTP: `uvicorn examples.graphql.app:app`, with the database of CORMORANT_DSN."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cormorant import Database
from examples.graphql.schema import execute


def make_app(database: Database) -> Starlette:
    """Gives an application that answers `POST /graphql`."""

    async def graphql(request: Request) -> JSONResponse:
        asked = await request.json()
        result = await execute(database, str(asked["query"]))
        errors = [{"message": error.message} for error in result.errors or []]
        answer = {"data": result.data, "extensions": result.extensions}
        return JSONResponse({**answer, "errors": errors} if errors else answer)

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


app = make_app(Database(os.environ.get("CORMORANT_DSN", "sqlite:///library.db")))
