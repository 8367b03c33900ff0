from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

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


class QuestionKind(enum.Enum):
    CHOICE = "choice"
    TEXT = "text"
    NUMBER = "number"


class Role(enum.Enum):
    STUDENT = "student"
    TUTOR = "tutor"
    TEACHER = "teacher"
    ADMIN = "admin"


class Person(Model, table="people"):
    id: Mapped[UUID] = generated(primary_key=True, server_default=text("gen_random_uuid()"))
    name: Mapped[str]
    mail: Mapped[str] = field(unique=True, max_length=254)
    roles: Mapped[list[Role]] = generated(
        server_default=text("'{student}'::role[]"),
        type=types.Array(types.Enumeration(Role, "role")),
    )
    born: Mapped[date | None] = field(default=None)
    locale: Mapped[str] = field(default="en", server_default=text("'en'::character varying"), max_length=5)
    date_: Mapped[datetime] = generated(server_default=text("now()"), column="date", comment="when they joined")
    courses: Many[Cours] = reverse("persons")
    enrolments: Many[Enrolment] = reverse("person")
    messages: Many[Message] = reverse("sender")
    corrected_by_submissions: Many[Submission] = reverse("corrected_by")
    person_submissions: Many[Submission] = reverse("person")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("(born > '1900-01-01'::date)"), name="people_born_check")


class Message(Model, table="messages"):
    sent: Mapped[datetime] = field(primary_key=True)
    id: Mapped[int] = generated(primary_key=True)
    sender: One[Person] = foreign_key(on_delete="no_action", index=False)
    reply_to: Mapped[int | None] = field(default=None, size="big")
    body: Mapped[str]


class Subject(Model, table="subjects"):
    code: Mapped[str] = field(primary_key=True, max_length=8)
    title: Mapped[str]
    parent_code: Mapped[str | None] = field(default=None, max_length=8)
    parent: One[Subject | None] = foreign_key(
        init=False,
        columns=("parent_code",),
        on_delete="set_null",
        on_update="cascade",
        index=False,
    )
    cours: Many[Cours] = reverse("subject")
    parent_of: Many[Subject] = reverse("parent")


class Cours(Model, table="courses"):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    subject_code: Mapped[str] = field(max_length=8)
    year: Mapped[int] = field(size="small")
    title: Mapped[str]
    price: Mapped[Decimal] = field(default=Decimal("0"), server_default=text("0"), precision=10, decimal_places=2)
    places: Mapped[int | None] = field(default=None)
    starts: Mapped[date]
    ends: Mapped[date]
    weeks: Mapped[int | None] = generated(computed="((ends - starts) / 7)")
    def_: Mapped[str | None] = field(default=None, column="def")
    subject: One[Subject] = foreign_key(
        init=False,
        columns=("subject_code",),
        on_delete="no_action",
        on_update="cascade",
        index=False,
    )
    needs: Many[Cours] = many_to_many(through="CoursePrerequisite")
    tags: Many[Tag] = many_to_many(through="CourseTag")
    persons: Many[Person] = many_to_many(through="Enrolment")
    enrolments: Many[Enrolment] = reverse("course")
    lessons: Many[Lesson] = reverse("course")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield unique(cls.subject_code, cls.year, cls.title)
        yield check(text("(starts < ends)"), name="courses_in_time")
        yield check(text("((places IS NULL) OR ((places >= 1) AND (places <= 5000)))"), name="courses_places")


class CoursePrerequisite(Model, table="course_prerequisites"):
    course: One[Cours] = foreign_key(on_delete="cascade", primary_key=True)
    needs: One[Cours] = foreign_key(on_delete="cascade", primary_key=True)


class Enrolment(Model, table="enrolments"):
    person: One[Person] = foreign_key(on_delete="cascade", primary_key=True)
    course: One[Cours] = foreign_key(primary_key=True)
    role: Mapped[Role] = field(default=Role.STUDENT, server_default=text("'student'::role"), native="role")
    paid: Mapped[Decimal | None] = field(default=None, precision=10, decimal_places=2)
    enrolled: Mapped[datetime] = generated(server_default=text("now()"))
    certificate: One[Certificate | None] = reverse("enrolment")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(
            cls.course,
            where=text("((role = 'teacher'::role) OR (role = 'tutor'::role))"),
            name="enrolments_teachers",
        )


class Certificate(Model, table="certificates"):
    enrolment_person: Mapped[UUID] = field(primary_key=True)
    enrolment_course: Mapped[int] = field(primary_key=True)
    issued: Mapped[date] = generated(server_default=text("CURRENT_DATE"))
    grade: Mapped[str | None] = field(default=None, type=types.Native("char(1)"))
    enrolment: One[Enrolment] = foreign_key(
        init=False,
        columns=("enrolment_person", "enrolment_course"),
        on_delete="cascade",
        index=False,
    )

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(
            text("(grade = ANY (ARRAY['A'::bpchar, 'B'::bpchar, 'C'::bpchar, 'D'::bpchar]))"),
            name="certificates_grade_check",
        )


class Lesson(Model, table="lessons"):
    course: One[Cours] = foreign_key(on_delete="cascade", primary_key=True)
    number: Mapped[int] = field(primary_key=True)
    title: Mapped[str]
    starts_at: Mapped[time | None] = field(default=None)
    lasts: Mapped[timedelta] = generated(server_default=text("'01:30:00'::interval"))
    content: Mapped[Any | None] = field(default=None)
    exercises: Many[Exercis] = reverse("lesson")


class Exercis(Model, table="exercises"):
    id: Mapped[int] = generated(primary_key=True)
    course_id: Mapped[int]
    lesson_number: Mapped[int]
    kind: Mapped[QuestionKind] = field(native="question_kind")
    question: Mapped[str]
    choices: Mapped[list[str] | None] = field(default=None)
    points: Mapped[float] = field(default=1, server_default=text("1"), type=types.Native("real"))
    lesson: One[Lesson] = foreign_key(
        init=False,
        columns=("course_id", "lesson_number"),
        on_delete="cascade",
        deferrable=True,
    )
    submissions: Many[Submission] = reverse("exercise")

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield check(text("((kind <> 'choice'::question_kind) OR (choices IS NOT NULL))"), name="exercises_check")


class Submission(Model, table="submissions"):
    id: Mapped[int] = generated(primary_key=True)
    exercise: One[Exercis] = foreign_key(on_delete="cascade", index=False)
    person: One[Person] = foreign_key(on_delete="cascade", index=False)
    answer: Mapped[str | None] = field(default=None)
    attachment: Mapped[bytes | None] = field(default=None)
    points: Mapped[float | None] = field(default=None, type=types.Native("real"))
    handed_in: Mapped[datetime] = generated(server_default=text("now()"))
    corrected_by_id: Mapped[UUID | None] = field(default=None, column="corrected_by")
    corrected_by: One[Person | None] = foreign_key(
        init=False,
        columns=("corrected_by_id",),
        on_delete="set_null",
        index=False,
    )

    @classmethod
    def __table_args__(cls) -> Iterable[TableArg]:
        yield index(cls.exercise, cls.person, cls.handed_in.desc(), name="submissions_latest")
        yield index(cls.handed_in, where=text("(points IS NULL)"), name="submissions_open")


class Tag(Model, table="tags"):
    id: Mapped[int] = generated(primary_key=True, size="normal")
    name: Mapped[str] = field(unique=True)
    courses: Many[Cours] = reverse("tags")


class CourseTag(Model, table="course_tags"):
    course: One[Cours] = foreign_key(on_delete="cascade", primary_key=True)
    tag: One[Tag] = foreign_key(on_delete="cascade", primary_key=True)


# not here: the view gradebook
