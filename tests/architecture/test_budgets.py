"""Small functions, small files, small classes: the house stays readable."""

from __future__ import annotations

from statistics import median

import pytest

from tests.architecture.source import body_lines, classes, functions, load, methods

FUNCTION_MEDIAN, FUNCTION_P95, FUNCTION_CAP = 7, 30, 60
FILE_P95, FILE_CAP = 400, 600
METHODS_CAP, FACE_CAP = 20, 50

# What users hold in their hands has a method for each thing they can do; compilers have one for each node.
FACES = {
    "AsyncSession",
    "Builder",
    "Collection",
    "Database",
    "Expr",
    "Functions",
    "Model",
    "ModelMeta",
    "QuerySet",
    "Rows",
    "Session",
    "SyncQuerySet",
    "SyncRows",
    "Terminals",
}


def percentile_95(sizes: list[int]) -> int:
    return sorted(sizes)[int(len(sizes) * 0.95)]


def test_functions_are_short() -> None:
    sizes = {f"{m.place}:{f.lineno} {f.name}": body_lines(f) for m in load().values() for f in functions(m)}
    lines = list(sizes.values())
    assert {name: size for name, size in sizes.items() if size > FUNCTION_CAP} == {}
    assert percentile_95(lines) <= FUNCTION_P95
    assert median(lines) <= FUNCTION_MEDIAN


def test_files_are_short() -> None:
    sizes = {module.place: module.lines for module in load().values() if module.lines}
    assert {place: size for place, size in sizes.items() if size > FILE_CAP} == {}
    assert percentile_95(list(sizes.values())) <= FILE_P95


@pytest.mark.parametrize("faces", [False, True])
def test_classes_have_few_methods(faces: bool) -> None:
    cap = FACE_CAP if faces else METHODS_CAP
    sizes = {
        f"{module.place}:{class_.lineno} {class_.name}": len(methods(class_))
        for module in load().values()
        for class_ in classes(module)
        if (class_.name in FACES or class_.name.endswith("Compiler")) is faces
    }
    assert {name: size for name, size in sizes.items() if size > cap} == {}
