"""The sound of a file as it is, every channel of it, for whoever changes it."""

import os
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sordino.pipelines.decoder import Child, Limits, Want
from sordino.pipelines.matroska import Block, MatroskaError, Reader
from sordino.pipelines.running import Running, open_media, why_nothing
from sordino.pipelines.timeline import Line, samples


def sound(
    path: str | os.PathLike[str],
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 -- a frozen value
) -> "Sounding":
    """
    Decode the first sound track of a file; `sample_rate` (Hz) and `channels` are the track's own if None is given.

    The child process starts with the first iteration; `MediaError` and `DecoderMissing` come from there too.
    """
    want = Want(sample_rate, 1.0, audio=True, video=False, channels=channels, beside=True)
    return Sounding(os.fspath(path), want, limits)


class Sounding(Running[NDArray[np.float32]]):
    """
    What `sound` returns: blocks float32[n, channels], full scale at 1, continuous from 0 as the sound of `decode` is.

    `sample_rate`, in Hz, and `layout`, ffmpeg's name for the order of the channels, are known from the first block on.
    NaN and infinity come as silence.
    """

    def __init__(self, path: str, want: Want, limits: Limits) -> None:
        super().__init__(path, want, limits)
        self.sample_rate = 0
        self.layout = ""
        self._line: Line | None = None

    @property
    def audio_s(self) -> float:
        """Seconds from the start to the end of the sound."""
        return self._line.end_s if self._line else 0.0

    def _decode(self) -> Generator[NDArray[np.float32], None, None]:
        with open_media(self._path) as file:
            words = yield from self._run(file, self._want)
            if not self.audio_s and words.kinds > {"Audio"}:  # pictures that tell too little of themselves stop it
                words = yield from self._run(file, replace(self._want, beside=False))
            if not self.audio_s:
                raise self._error(*why_nothing(words, self._want, os.pread(file, 16, 0)))
            self.warnings = tuple(words.errors)

    def _place(self, block: Block, reader: Reader, child: Child) -> Iterator[NDArray[np.float32]]:
        track = block.track
        if self._line is None:
            if not track.sample_rate or not track.channels:
                raise MatroskaError("a sound track that does not say its sample rate and channels")
            self.sample_rate = track.sample_rate
            self.layout = child.words.layout or f"{track.channels}c"  # ffmpeg's default order for so many
            self._line = Line(track.sample_rate)
        heard = np.nan_to_num(samples(block, track.channels), posinf=0.0, neginf=0.0)
        yield from self._line.place(block.time_s, heard)

    def _finish(self, child: Child) -> Iterator[NDArray[np.float32]]:
        return iter(())
