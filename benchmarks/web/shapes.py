"""What the other applications write beside their tables."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    email: str | None


class ArticleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    body: str
    views: int
    created: datetime
    author_id: int


class ArticleWithAuthor(ArticleOut):
    author: AuthorOut


class ArticleIn(BaseModel):
    title: str = Field(max_length=120)
    body: str = ""
    views: int = 0
    author_id: int
