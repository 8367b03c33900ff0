from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from cormorant import (
    Many,
    Mapped,
    Model,
    One,
    TableArg,
    check,
    field,
    foreign_key,
    generated,
    index,
    many_to_many,
    reverse,
    text,
    types,
    unique,
)


class MergeState(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Visibility(enum.Enum):
    PRIVATE = "private"
    INTERNAL = "internal"
    PUBLIC = "public"


class Organization(Model, table="organizations"):
    id: Mapped[int] = generated(primary_key=True)
    name: Mapped[str] = field(unique=True, max_length=39)
    parent: One[Organization | None] = foreign_key(default=None, on_delete="set_null", index=False)
    users: Many[User] = many_to_many(through="Membership")
    parent_of: Many[Organization] = reverse("parent")
    repositories: Many[Repository] = reverse("organization")


class User(Model, table="users"):
    id: Mapped[int] = generated(primary_key=True)
    username: Mapped[str] = field(unique=True, max_length=39)
    display_name: Mapped[str | None] = field(default=None)
    email: Mapped[str]
    isAdmin: Mapped[bool] = field(default=False, server_default=text("false"))
    keys: Mapped[list[str]] = generated(server_default=text("ARRAY[]::text[]"))
    settings: Mapped[Any] = generated(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = generated(server_default=text("now()"))
    last_ip: Mapped[Any | None] = field(default=None, type=types.Native("inet"))
    commits: Many[Commit] = reverse("author")
    followers: Many[User] = many_to_many(through="Follow")
    followed_follows: Many[Follow] = reverse("followed")
    follower_follows: Many[Follow] = reverse("follower")
    assignee_issues: Many[Issue] = reverse("assignee")
    author_issues: Many[Issue] = reverse("author")
    organizations: Many[Organization] = reverse("users")
    reactions: Many[Reaction] = reverse("user")
    repositories: Many[Repository] = reverse("owner")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("((username)::text ~ '^[a-z0-9-]+$'::text)"), name="users_username_check")
        yield index(text("lower(email)"), unique=True, name="users_email_lower")


class Follow(Model, table="follows"):
    follower: One[User] = foreign_key(on_delete="cascade", primary_key=True)
    followed: One[User] = foreign_key(on_delete="cascade", primary_key=True)
    since: Mapped[datetime] = generated(server_default=text("now()"))

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("(follower_id <> followed_id)"), name="not_oneself")


class Membership(Model, table="memberships"):
    id: Mapped[int] = generated(primary_key=True)
    organization: One[Organization] = foreign_key(on_delete="cascade", index=False)
    user: One[User] = foreign_key(on_delete="cascade", index=False)

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.organization, cls.user, name="memberships_organization_id_user_id_key")


class Repository(Model, table="repositories"):
    id: Mapped[int] = generated(primary_key=True)
    owner: One[User] = foreign_key()
    organization: One[Organization | None] = foreign_key(default=None, on_delete="cascade", index=False)
    forked_from: One[Repository | None] = foreign_key(default=None, on_delete="set_null", index=False)
    name: Mapped[str] = field(max_length=100)
    visibility: Mapped[Visibility] = field(
        default=Visibility.PRIVATE,
        server_default=text("'private'::visibility"),
        native="visibility",
    )
    topics: Mapped[list[Any]] = generated(
        server_default=text("'{}'::character varying[]"),
        type=types.Native("varchar[]"),
    )
    size_kb: Mapped[int] = field(default=0, server_default=text("0"), size="big")
    stars: Mapped[int] = field(default=0, server_default=text("0"))
    score: Mapped[float | None] = generated(computed="sqrt((stars)::double precision)")
    default_branch: Mapped[str] = field(default="main", server_default=text("'main'::text"))
    archived_at: Mapped[datetime | None] = field(default=None)
    commits: Many[Commit] = reverse("repository")
    events: Many[Event] = reverse("repository")
    issues: Many[Issue] = reverse("repository")
    labels: Many[Label] = reverse("repository")
    forked_from_of: Many[Repository] = reverse("forked_from")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.owner, cls.name, name="repositories_owner_id_name_key")
        yield check(text("(size_kb >= 0)"), name="repositories_size_kb_check")
        yield index(cls.stars.desc(), where=text("(archived_at IS NULL)"), name="repositories_active")
        yield index(cls.topics, name="repositories_topics", using="gin")


class Commit(Model, table="commits"):
    repository: One[Repository] = foreign_key(on_delete="cascade", primary_key=True)
    sha: Mapped[str] = field(primary_key=True, type=types.Native("char(40)"))
    author: One[User | None] = foreign_key(default=None, on_delete="set_null", index=False)
    message: Mapped[str]
    authored_at: Mapped[datetime]
    commits: Many[Commit] = many_to_many(through="CommitParent")
    commit_commit_parents: Many[CommitParent] = reverse("commit")
    commit__commit_parents: Many[CommitParent] = reverse("commit_")
    merge_requests: Many[MergeRequest] = reverse("commit")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.authored_at, name="commits_when", using="brin")


class CommitParent(Model, table="commit_parents"):
    repository_id: Mapped[int] = field(primary_key=True, size="big")
    child_sha: Mapped[str] = field(primary_key=True, type=types.Native("char(40)"))
    parent_sha: Mapped[str] = field(primary_key=True, type=types.Native("char(40)"))
    ordinal: Mapped[int] = field(default=0, server_default=text("0"), size="small")
    commit: One[Commit] = foreign_key(
        init=False,
        columns=("repository_id", "child_sha"),
        on_delete="cascade",
        index=False,
    )
    commit_: One[Commit] = foreign_key(
        init=False,
        columns=("repository_id", "parent_sha"),
        on_delete="no_action",
        index=False,
    )


class Event(Model, table="events"):
    id: Mapped[int] = field(primary_key=True, size="big")
    kind: Mapped[str] = field(primary_key=True)
    repository: One[Repository] = foreign_key(on_delete="cascade", index=False)
    payload: Mapped[Any]


class Issue(Model, table="issues"):
    id: Mapped[int] = generated(primary_key=True)
    repository: One[Repository] = foreign_key(on_delete="cascade", index=False)
    number: Mapped[int]
    title: Mapped[str]
    body: Mapped[str | None] = field(default=None)
    author: One[User] = foreign_key(on_delete="no_action", index=False)
    assignee: One[User | None] = foreign_key(default=None, on_delete="set_null", index=False)
    milestone: Mapped[date | None] = field(default=None)
    is_open: Mapped[bool] = field(default=True, server_default=text("true"))
    metadata: Mapped[Any | None] = field(default=None, type=types.Native("json"))
    labels: Many[Label] = many_to_many(through="IssueLabel")
    merge_request: One[MergeRequest | None] = reverse("issue")
    reactions: Many[Reaction] = reverse("issue")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.repository, cls.number, name="issues_number")
        yield index(
            text("to_tsvector('english'::regconfig, (title || ' '::text) || COALESCE(body, ''::text))"),
            name="issues_words",
            using="gin",
        )


class Label(Model, table="labels"):
    id: Mapped[int] = generated(primary_key=True)
    repository: One[Repository] = foreign_key(on_delete="cascade", index=False)
    name: Mapped[str] = field(max_length=50)
    color: Mapped[str] = field(
        default="#cccccc",
        server_default=text("'#cccccc'::bpchar"),
        type=types.Native("char(7)"),
    )
    issues: Many[Issue] = reverse("labels")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.repository, cls.name, name="labels_name_once", deferrable=True)


class IssueLabel(Model, table="issue_labels"):
    issue: One[Issue] = foreign_key(on_delete="cascade", primary_key=True)
    label: One[Label] = foreign_key(on_delete="cascade", primary_key=True)


class MergeRequest(Model, table="merge_requests"):
    issue: One[Issue] = foreign_key(on_delete="cascade", primary_key=True)
    source_repository_id: Mapped[int] = field(size="big")
    source_sha: Mapped[str] = field(type=types.Native("char(40)"))
    state: Mapped[MergeState] = field(
        default=MergeState.OPEN,
        server_default=text("'open'::\"Merge State\""),
        native="Merge State",
    )
    commit: One[Commit] = foreign_key(
        init=False,
        columns=("source_repository_id", "source_sha"),
        on_delete="no_action",
        index=False,
    )


class Reaction(Model, table="reactions"):
    issue: One[Issue] = foreign_key(on_delete="cascade", primary_key=True)
    user: One[User] = foreign_key(on_delete="cascade", primary_key=True)
    emoji: Mapped[str] = field(primary_key=True, max_length=16)


# not here: the view open_issues
