"""How far a run of migrations is: a bar on a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from cormorant.cli.screen import console
from cormorant.migrations.running.outcomes import Progress, Tell


@contextmanager
def shown_progress(as_json: bool) -> Generator[Tell]:
    """Gives what an engine calls as it goes on."""
    printer = console(stderr=True)
    if as_json:
        yield lambda progress: None
    elif not printer.is_terminal:
        yield lambda progress: _line(printer, progress)
    else:
        with _bars(printer) as bars:
            yield _Drawn(bars).tell


def _line(printer: Console, progress: Progress) -> None:
    words = said(progress)
    if words:
        printer.print(words)


def said(progress: Progress) -> str:
    """Gives a moment of a run as a line; "" for those that no log needs."""
    match progress.phase:
        case "waiting":
            return f"waiting for {progress.words}"
        case "started":
            verb = "taking back" if progress.down else "running"
            return f"{verb} {progress.migration} ({progress.number} of {progress.count})"
        case "retrying":
            return f"{progress.migration}: a lock was not granted; step {progress.step} is tried again"
        case _:
            return ""


def _bars(printer: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=printer,
        transient=True,
    )


class _Drawn:
    """Two bars: the migrations of the run, and what the one of now is at."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.whole: TaskID = bars.add_task("migrations", total=None)
        self.inner: TaskID = bars.add_task("", total=None, visible=False)

    def tell(self, progress: Progress) -> None:
        """Draws a moment of the run."""
        if progress.phase == "waiting":
            self.bars.update(self.whole, description=said(progress))
            return
        done = progress.number - (progress.phase != "done")
        self.bars.update(self.whole, description=progress.migration, total=progress.count, completed=done)
        if progress.rows_expected is not None or progress.rows:
            at, total = progress.rows, progress.rows_expected
        else:
            at, total = max(progress.step - 1, 0), progress.steps
        words = said(progress) if progress.phase == "retrying" else progress.words
        self.bars.update(
            self.inner, description=words, total=total, completed=at, visible=progress.phase not in ("done", "started")
        )
