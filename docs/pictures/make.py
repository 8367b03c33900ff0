"""Makes the pictures of the documentation: `python docs/pictures/make.py`."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from rich.console import Console  # noqa: E402

from tests.support.reports import report  # noqa: E402

WIDTH = 112

# rich's own format loads a font from elsewhere
FORMAT = """\
<svg class="terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; line-height: {line_height}px; \
font-variant-east-asian: full-width }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def terminal() -> str:
    """Gives what `session.report().show()` prints, as a picture."""
    console = Console(file=StringIO(), width=WIDTH, record=True, force_terminal=True, color_system="truecolor")
    console.print(report())
    return console.export_svg(title="session.report().show()", code_format=FORMAT, unique_id="report")


PICTURES = {"report.svg": terminal, "timeline.svg": lambda: report().timeline()}


def main() -> None:
    """Writes them."""
    for name, make in PICTURES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
