"""How ffmpeg is started: as a child process under limits that it can't lift, and that does not outlive us."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence

# Names as `ffmpeg -demuxers` has them; of a demuxer with several names one is enough.
FORMATS = ("mpegts", "mov", "matroska", "flv", "live_flv", "avi", "wav", "mp3", "aac", "flac", "ogg", "aiff")
GLOBAL_OPTIONS = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-max_error_rate", "1",
                  "-filter_threads", "1")  # fmt: skip
PACKAGES = {"ffmpeg": "ffmpeg", "prlimit": "util-linux", "setpriv": "util-linux"}


class DecoderMissing(Exception):  # noqa: N818 -- a state of the machine, not of the file
    """ffmpeg, or what limits it (of util-linux), is not installed or does not start."""


def program(name: str) -> str:
    """Find a program's path, or raise `DecoderMissing`."""
    path = shutil.which(name)
    if path is None:
        raise DecoderMissing(f"{name} is not installed (Debian and Ubuntu: apt-get install {PACKAGES[name]})")
    return path


def limited(*, memory_bytes: int, cpu_s: float, file_bytes: int = 0) -> list[str]:
    """
    Build what stands in front of ffmpeg: util-linux's prlimit, which becomes ffmpeg.

    Soft and hard limits are equal, as ffmpeg would answer SIGXCPU by a normal end. None is above this process's own.
    """
    wanted = {
        "as": (resource.RLIMIT_AS, memory_bytes),
        "cpu": (resource.RLIMIT_CPU, int(cpu_s)),
        "nofile": (resource.RLIMIT_NOFILE, 64),
        "core": (resource.RLIMIT_CORE, 0),
        "fsize": (resource.RLIMIT_FSIZE, file_bytes),
    }
    arguments = []
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        arguments.append(f"--{name}={allowed}:{allowed}")
    return [program("prlimit"), *arguments, "--"]


def start(
    arguments: Sequence[str], files: Sequence[int], *, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command that inherits the open `files` and nothing else; its output and its words come through pipes."""
    return subprocess.Popen(
        arguments,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=files,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command, if it still runs, with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
