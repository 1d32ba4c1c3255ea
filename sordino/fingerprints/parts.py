"""
A part of the catalogue: the indexes of some references, immutable in a folder of memory-mapped arrays.

Every array has its checksum in the manifest, so a damaged byte is an error and never a match.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import index, index_video
from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.merge import Lazily
from sordino.fingerprints.model import AudioPrint, VideoPrint
from sordino.fingerprints.params import AudioParams, VideoParams
from sordino.fingerprints.video import Describer

SECOND_FRAMES = 50  # frames of sound that a second of pictures takes as much as


class CatalogueError(Exception):
    """The catalogue can't be opened, read or saved; `code` is one of the words in the raises, `str` one line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """What is kept of one reference; a track that it lacks has an empty print."""

    reference_id: str
    audio: AudioPrint
    video: VideoPrint


def nothing(reference_id: str, audio: AudioParams, video: VideoParams) -> Prints:
    """Return what is kept of a reference that has neither track, or none yet."""
    silence = AudioPrint(audio, 0.0, np.empty(0, np.int32), np.empty(0, np.int16))
    return Prints(reference_id, silence, Describer(video, finer=False).reference(0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The indexes of `reference_ids`; the place of an id is its ordinal in both."""

    reference_ids: tuple[str, ...]
    audio: AudioIndex
    video: VideoIndex

    def prints(self, ordinal: int, audio: AudioParams, video: VideoParams) -> Prints:
        """Return what was added as the reference of this ordinal, to be put into another part."""
        sound, pictures = self.audio.print_of(ordinal, audio), self.video.print_of(ordinal, video)
        return Prints(self.reference_ids[ordinal], sound, pictures)

    def lengths(self) -> NDArray[np.int64]:
        """Return how much each reference takes, as `length` tells."""
        return np.asarray(np.maximum(np.diff(self.audio.bases), SECOND_FRAMES * np.diff(self.video.bases)))


def length(prints: Prints) -> int:
    """Return how much a reference takes of what a part may hold: frames of its sound, or as much for its pictures."""
    return max(index.length(prints.audio), SECOND_FRAMES * index_video.length_s(prints.video))


def build(prints: Sequence[Prints], params: AudioParams) -> Part:
    """Index the references' prints; a sequence that makes them when asked needs no more memory than the part."""
    ids = tuple(p.reference_id for p in prints)
    sound = index.build(Lazily(len(prints), lambda k: prints[k].audio), params)
    return Part(ids, sound, index_video.build(Lazily(len(prints), lambda k: prints[k].video)))


def write(part: Part, folder: Path) -> dict[str, str]:
    """
    Write a part into a new folder, durably, and return each file's checksum.

    Raises OSError where the disk does not take it; what was written then is no part of any catalogue.
    """
    folder.mkdir()
    checksums = {}
    for name, array in _arrays(part).items():
        with (folder / name).open("xb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
        checksums[name] = checksum(folder / name)
    sync_folder(folder)
    return checksums


def read(folder: Path, reference_ids: Sequence[str], checksums: Mapping[str, str]) -> Part:
    """
    Map a part into memory.

    Raises FileNotFoundError where it is gone (another process has merged it) and CatalogueError `damaged` where a file
    is not what was written.
    """
    for name, expected in checksums.items():
        if checksum(folder / name) != expected:
            raise CatalogueError("damaged", f"{folder / name}: the checksum is wrong; restore the file from a copy")
    return Part(
        tuple(reference_ids),
        AudioIndex(**{f.name: _mapped(folder / f"audio_{f.name}.npy") for f in fields(AudioIndex)}),
        VideoIndex(**{f.name: _mapped(folder / f"video_{f.name}.npy") for f in fields(VideoIndex)}),
    )


def checksum(path: Path) -> str:
    """Return the BLAKE2b checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes a file's bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _arrays(part: Part) -> dict[str, NDArray[Any]]:
    tables: dict[str, AudioIndex | VideoIndex] = {"audio": part.audio, "video": part.video}
    return {f"{name}_{f.name}.npy": getattr(table, f.name) for name, table in tables.items() for f in fields(table)}


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))  # a plain view: kernels know no memmap
