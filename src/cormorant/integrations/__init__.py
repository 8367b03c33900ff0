"""Models and sessions in other libraries: pydantic, FastAPI."""
