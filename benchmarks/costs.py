"""What things cost: CPU seconds of this process and its children, memory, and the machine that it was measured on."""

import os
import platform
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.pipelines.media import ffmpeg_version

LIBRARIES = ("numpy", "scipy", "numba", "opencv-python-headless")


@dataclass(frozen=True)
class Taken:
    """What something cost, in seconds: CPU of this process and of its children that ended, and by the clock."""

    own_s: float
    child_s: float
    wall_s: float

    @property
    def cpu_s(self) -> float:
        """CPU seconds of both."""
        return self.own_s + self.child_s

    @classmethod
    def so_far(cls) -> "Taken":
        """Return what has been taken since the process began."""
        own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(own.ru_utime + own.ru_stime, child.ru_utime + child.ru_stime, time.perf_counter())


class Costs:
    """What was taken, by name, time after time."""

    def __init__(self) -> None:
        self._taken: defaultdict[str, list[Taken]] = defaultdict(list)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        a = Taken.so_far()
        yield
        b = Taken.so_far()
        self._taken[name].append(Taken(b.own_s - a.own_s, b.child_s - a.child_s, b.wall_s - a.wall_s))

    def column(self, name: str, what: str) -> NDArray[np.float64]:
        """Return one of `Taken`'s fields, float64[times], in seconds."""
        return np.array([getattr(taken, what) for taken in self._taken[name]])


def memory_kib() -> tuple[int, int]:
    """Return this process's resident memory in KiB, and how much of it is its own: the rest are pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]), int(fields["RssAnon"].split()[0])


def circumstances(module: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield a Markdown list: the command, the commit, the machine and what runs on it."""
    yield f"- command: `python -m {' '.join([module, *arguments])}`"
    yield f"- commit: {_commit()}"
    model = next((line.split(":")[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    yield f"- machine: {model.strip()}, {os.cpu_count()} cores; load when this began: {os.getloadavg()[0]:.1f}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield f"- Python {platform.python_version()}, ffmpeg {ffmpeg_version()}, {libraries}"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    said = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "no checkout"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def say(line: str) -> None:
    """Tell how far it is, beside the report."""
    print(line, file=sys.stderr, flush=True)
