"""Media in, matches out: decode, fingerprint, find."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import audio
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint, Match, Track, VideoPrint
from sordino.fingerprints.video import Describer
from sordino.pipelines import acoustid
from sordino.pipelines.media import Limits, Pcm, decode

EXCERPT_S = 60  # of a new reference, looked up to see whether the recording is already there
SAME_SPEED = 0.01


@dataclass(frozen=True, slots=True)
class Report:
    """What a piece of media has of the registered works; spans count from its start."""

    matches: tuple[Match, ...]
    audio_s: float
    video_s: float
    warnings: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Seconds to the end of the longer track."""
        return max(self.audio_s, self.video_s)

    @property
    def tracks(self) -> frozenset[Track]:
        """The tracks that the media has."""
        lengths: dict[Track, float] = {"audio": self.audio_s, "video": self.video_s}
        return frozenset(track for track, length_s in lengths.items() if length_s > 0)


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePrints:
    """What is kept of a reference, and which registered one is the very same recording, if any."""

    audio: AudioPrint
    video: VideoPrint
    chromaprint: str | None
    audio_s: float
    video_s: float
    warnings: tuple[str, ...]
    looks_like: tuple[Match, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """Decoded media: mono int16 sound at the catalogue's rate; its pictures are described while they come."""

    pcm: NDArray[np.int16]
    audio_s: float
    video_s: float
    warnings: tuple[str, ...]


def analyse(path: Path, catalogue: Catalogue, expected: Sequence[Match] = (), limits: Limits | None = None) -> Report:
    """
    Find the registered works in a file; `expected` as for `Catalogue.find`.

    Raises MediaError and DecoderMissing.
    """
    pictures = Describer(catalogue.video_params, finer=True)
    content = _read(path, catalogue, limits or Limits(), pictures)
    sound = audio.query_print(content.pcm, catalogue.audio_params) if content.audio_s else None
    seen = pictures.query(content.video_s) if content.video_s else None
    matches = catalogue.find(sound, seen, expected)
    return Report(tuple(matches), content.audio_s, content.video_s, content.warnings)


def reference(path: Path, catalogue: Catalogue, limits: Limits | None = None) -> ReferencePrints:
    """
    Fingerprint a file that is to be registered, and look its beginning up among the references.

    Raises MediaError and DecoderMissing.
    """
    pictures = Describer(catalogue.video_params, finer=False)
    content = _read(path, catalogue, limits or Limits(), pictures)
    params = catalogue.audio_params
    excerpt = audio.query_print(content.pcm[: EXCERPT_S * params.sample_rate], params)
    found = catalogue.find(excerpt, None) if content.audio_s else []
    try:
        print_ = acoustid.acoustid_print(content.pcm, params.sample_rate) if content.audio_s else None
    except acoustid.TooShort:
        print_ = None  # a jingle: it has landmarks, but is too short for Chromaprint
    return ReferencePrints(
        audio.reference_print(content.pcm, params),
        pictures.reference(content.video_s),
        print_,
        content.audio_s,
        content.video_s,
        content.warnings,
        tuple(m for m in found if abs(m.speed - 1) < SAME_SPEED),
    )


def _read(path: Path, catalogue: Catalogue, limits: Limits, describer: Describer) -> _Content:
    sound: list[NDArray[np.int16]] = []
    rate, params = catalogue.audio_params.sample_rate, catalogue.video_params
    with decode(
        path, sample_rate=rate, frames_per_s=params.frames_per_s, frame_side=describer.side, limits=limits
    ) as decoding:
        for item in decoding:
            if isinstance(item, Pcm):
                sound.append(item.samples)
            else:
                describer.add(item.time_s, item.luma)
    pcm = np.concatenate([np.empty(0, np.int16), *sound])
    return _Content(pcm, decoding.audio_s, decoding.video_s, decoding.warnings)
