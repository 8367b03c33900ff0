"""Puts figures into `docs/performance.md`, between its markers, and pictures beside it."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.plots import pictures
from benchmarks.report import DATABASES, Table, concurrency, growth, microseconds, once, ratios, standing
from benchmarks.results import Results

DOCS = Path(__file__).parents[1] / "docs"


def blocks(results: Results) -> dict[str, str]:
    """Gives the text for each marker of the page."""
    found = {"about": told(results)}
    for db in results.databases("workloads"):
        lines = "\n".join(f"- {line}" for line in standing(results, db))
        picture = f"![Speed of each library in each workload](performance/workloads-{db}.svg)"
        parts = [titled(ratios(results, db, "wall")), titled(ratios(results, db, "cpu")), lines, picture]
        found[db] = "\n\n".join([*parts, folded(microseconds(results, db))])
    for db in results.databases("growth"):
        picture = f"![Cost against size](performance/growth-{db}.svg)"
        tables = [folded(table) for table in growth(results, db)]
        found[f"growth-{db}"] = "\n\n".join([picture, *tables])
    for db in results.databases("concurrency"):
        found[f"concurrency-{db}"] = titled(concurrency(results, db))
    for part in ("memory", "startup"):
        for db in results.databases(part):
            found[f"{part}-{db}"] = titled(once(results, part, db))
    return found


def told(results: Results) -> str:
    """Says what the figures depend on."""
    about = results.about
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    measured = ", ".join(DATABASES[db] for db in results.databases("workloads"))
    busy = about.get("load", 0.0) > about.get("processors", 1) / 2
    warning = f" The machine was busy with other work (load {about.get('load')}): trust CPU time rather than the clock."
    return (
        f"Measured on {about['when']}: {measured}; Python {about['python']}, {about['system']}, {about['loop']}; "
        f"{about['rounds']} rounds of {about['seconds']} s for each contestant and workload. {versions}."
        + warning
        * busy
    )


def titled(table: Table) -> str:
    return f"**{table.title}**\n\n{table.markdown()}"


def folded(table: Table) -> str:
    return f"<details><summary>{table.title}</summary>\n\n{table.markdown()}\n\n</details>"


def write(results: Results, docs: Path = DOCS) -> None:
    """Refreshes the page; what there are no figures for stays as it was."""
    page = docs / "performance.md"
    words = page.read_text(encoding="utf-8")
    for name, block in blocks(results).items():
        between = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- /figures -->)", re.DOTALL)
        words = between.sub(lambda found, block=block: f"{found[1]}\n{block}\n\n{found[2]}", words)
    page.write_text(words, encoding="utf-8")
    folder = docs / "performance"
    folder.mkdir(exist_ok=True)
    for file, picture in pictures(results).items():
        (folder / file).write_text(picture, encoding="utf-8")
