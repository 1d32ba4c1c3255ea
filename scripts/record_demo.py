"""
Runs the demo and writes what it prints as a picture: `python scripts/record_demo.py [--composed]`.

The picture is docs/demo.svg, as README.md shows it: the demo's words, with colours and indents added. A demo that fails
leaves the picture that is there.
"""

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs" / "demo.svg"
COLUMNS = 106
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
STYLES = {
    r"^\d\. .*": "bold",
    r"-> allow\b": "green",
    r"-> (\w+_live .*)?(erase_music|mute|blur_region|blank)\b": "bold yellow",
    r"-> (review|remove)\b": "bold red",
}


def main() -> None:
    """Record the demo, echoing it."""
    command = ["sordino", "demo", *sys.argv[1:]]
    # One pipe for both outputs keeps their order; a home of its own keeps what was registered here before out of it.
    with tempfile.TemporaryDirectory() as home:
        program = Path(sys.executable).with_name(command[0])
        running = subprocess.Popen(
            [program, *command[1:], "--home", home], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert running.stdout is not None
        lines = ["$ " + " ".join(command)]
        for line in running.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    if running.wait() != 0:
        sys.exit(f"the demo ended with status {running.returncode}: {PICTURE.name} is left as it was")
    PICTURE.write_text(picture(lines))


def picture(lines: list[str]) -> str:
    """Draw the lines as a terminal shows them; the same lines give the same picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for line in lines:
        text = Text(line.lstrip())
        for pattern, style in STYLES.items():
            text.highlight_regex(pattern, style)
        console.print(Padding(text, (0, 0, 0, len(line) - len(text))))
    svg = console.export_svg(title="sordino", unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from elsewhere: pages block them
    return re.sub(r"font-family: (Fira Code, monospace|arial);", f"font-family: {FONT};", svg)


if __name__ == "__main__":
    main()
