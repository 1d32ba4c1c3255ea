"""Times, figures and other people's text as they are shown to people."""

import re
import unicodedata
from collections.abc import Sequence

MOST_CHARS = 120  # of an outsider's text in one place
TIME = r"(?:\d{1,6}:){0,2}\d{1,9}(?:\.\d{1,9})?"  # seconds, m:ss or h:mm:ss, as people type it


def clock(seconds: float) -> str:
    """
    Write a time: minutes and seconds, and tenths only where there are any.

    >>> clock(80), clock(20.43), clock(3725)
    ('1:20', '0:20.4', '1:02:05')
    """
    tenths = round(abs(seconds) * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    fraction = f".{rest % 10}" if rest % 10 else ""
    return f"{'-' if seconds < 0 and tenths else ''}{start}:{rest // 10:02d}{fraction}"


def parsed_clock(typed: str) -> float:
    """
    Read a time as it is typed; raises ValueError.

    >>> parsed_clock("1:20"), parsed_clock("20.43"), parsed_clock("1:02:05")
    (80.0, 20.43, 3725.0)
    """
    if not re.fullmatch(TIME, typed):
        raise ValueError(f"{typed!r} is no time: expected seconds, m:ss or h:mm:ss")
    seconds = 0.0
    for part in typed.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def amount(seconds: float) -> str:
    """
    Write how many seconds, with as many places as it takes not to round something to nothing.

    >>> amount(9), amount(0.004)
    ('9.0 s', '0.004 s')
    """
    return f"{seconds:.3f} s" if 0 < seconds < 0.1 else f"{seconds:.1f} s"


def plain(text: str) -> str:
    """
    Make an outsider's text harmless to read: one line, nothing invisible that reorders it, not too long.

    >>> plain(" A" + chr(10) + "B" + chr(0x202E))
    'A B'
    """
    start = text[: 4 * MOST_CHARS]
    words = " ".join("".join(" " if unicodedata.category(char).startswith("C") else char for char in start).split())
    return words if len(words) <= MOST_CHARS else words[: MOST_CHARS - 1] + "…"


def listed(
    parts: Sequence[str], most: int = 5, *, comma: str = ", ", last: str = " and ", more: str = "{} more"
) -> str:
    """
    Join words as a sentence does; what is over `most` is only counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=1)
    ('a, b and c', 'a and 2 more')
    """
    shown = list(parts[:most])
    if len(parts) > most:
        shown.append(more.format(len(parts) - most))
    return last.join([comma.join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
