"""Media in, matches out: decode, fingerprint, find."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import audio
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint, Match, Span, Track, VideoPrint
from sordino.fingerprints.video import Describer
from sordino.pipelines import acoustid
from sordino.pipelines.media import Limits, Pcm, decode
from sordino.pipelines.voice import VoiceMissing, voice_spans

EXCERPT_S = 60  # of a new reference, looked up to see whether the recording is already there
SAME_SPEED = 0.01
KEYFRAME_GAP_S = 2.6  # a live stream has one every 2 s; in a longer gap a copy goes unnoticed
GLIMPSED = 9  # landmarks of a reference in a keyframe: one in thirty segments without any has as many
CLOSELY = 2.5  # times as many frames a second as references have: what moves is met near the same moment ...
LONG_S = 120.0  # ... but of what is longer that would be too much to hold


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a piece of media has of the registered works; spans count from its start.

    `voice` is where somebody speaks; None where nobody listened: no work was found, or the detector is missing.
    """

    matches: tuple[Match, ...]
    audio_s: float
    video_s: float
    warnings: tuple[str, ...]
    voice: tuple[Span, ...] | None = None

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
    """Decoded media: mono int16 sound at the catalogue's rate, its pictures as described, and when each was shown."""

    pcm: NDArray[np.int16]
    pictures: Describer
    times_s: tuple[float, ...]
    audio_s: float
    video_s: float
    warnings: tuple[str, ...]


def analyse(path: Path, catalogue: Catalogue, expected: Sequence[Match] = (), limits: Limits | None = None) -> Report:
    """
    Find the registered works in a file; `expected` as for `Catalogue.find`.

    Of the pictures, keyframes are looked at first: few segments show anything of a work. Raises MediaError and
    DecoderMissing.
    """
    limits = limits or Limits()
    glance = _read(path, catalogue, limits, finer=True, keyframes=True)
    sound = audio.query_print(glance.pcm, catalogue.audio_params) if glance.audio_s else None
    matches, warnings = catalogue.find(sound, None, expected), glance.warnings
    pictures = _worth_seeing(path, glance, catalogue, expected, limits)
    if pictures is not None:
        matches += catalogue.find(None, pictures.pictures.query(pictures.video_s), expected)
        warnings = tuple(dict.fromkeys([*warnings, *pictures.warnings]))
    voice = _voice(glance, catalogue.audio_params.sample_rate) if matches else None
    return Report(tuple(matches), glance.audio_s, glance.video_s, warnings, voice)


def _voice(content: _Content, sample_rate: int) -> tuple[Span, ...] | None:
    """Return where somebody speaks, which only matters beside a work that is found."""
    try:
        return voice_spans(content.pcm, sample_rate)
    except VoiceMissing:
        return None  # `sordino doctor` says so; whoever weighs takes voice to be everywhere then


def _worth_seeing(
    path: Path, glance: _Content, catalogue: Catalogue, expected: Sequence[Match], limits: Limits
) -> _Content | None:
    """
    Return the pictures to compare: all of them, unless keyframes are nearly all, or tell that it would be in vain.

    All are worth it where the keyframes show something of a reference, where one was seen just before, and where
    keyframes are so few that a copy may lie between them.
    """
    frames_per_s = catalogue.video_params.frames_per_s
    gap_s = float(np.diff([0.0, *glance.times_s, glance.video_s]).max())
    if not glance.video_s or not catalogue.hours()[1]:
        return None
    if gap_s <= 1.5 / frames_per_s:
        return glance
    awaited = gap_s > KEYFRAME_GAP_S or any(m.track == "video" for m in expected)
    if not awaited and catalogue.glimpse(glance.pictures.query(glance.video_s)) < GLIMPSED:
        return None
    rate = frames_per_s * (CLOSELY if glance.video_s <= LONG_S else 1)
    return _read(path, catalogue, limits, finer=True, audio=False, frames_per_s=rate)


def reference(path: Path, catalogue: Catalogue, limits: Limits | None = None) -> ReferencePrints:
    """
    Fingerprint a file that is to be registered, and look its beginning up among the references.

    Raises MediaError and DecoderMissing.
    """
    content = _read(path, catalogue, limits or Limits(), finer=False)
    params = catalogue.audio_params
    excerpt = audio.query_print(content.pcm[: EXCERPT_S * params.sample_rate], params)
    found = catalogue.find(excerpt, None) if content.audio_s else []
    try:
        print_ = acoustid.acoustid_print(content.pcm, params.sample_rate) if content.audio_s else None
    except acoustid.TooShort:
        print_ = None  # a jingle: it has landmarks, but is too short for Chromaprint
    return ReferencePrints(
        audio.reference_print(content.pcm, params),
        content.pictures.reference(content.video_s),
        print_,
        content.audio_s,
        content.video_s,
        content.warnings,
        tuple(m for m in found if abs(m.speed - 1) < SAME_SPEED),
    )


def _read(
    path: Path,
    catalogue: Catalogue,
    limits: Limits,
    *,
    finer: bool,
    keyframes: bool = False,
    audio: bool = True,
    frames_per_s: float | None = None,
) -> _Content:
    sound: list[NDArray[np.int16]] = []
    times_s: list[float] = []
    pictures = Describer(catalogue.video_params, finer=finer, hot=catalogue.hot_hours()[1] > 0)
    with decode(
        path,
        sample_rate=catalogue.audio_params.sample_rate,
        frames_per_s=frames_per_s or catalogue.video_params.frames_per_s,
        limits=limits,
        audio=audio,
        frame_side=pictures.side,
        keyframes=keyframes,
    ) as decoding:
        for item in decoding:
            if isinstance(item, Pcm):
                sound.append(item.samples)
            else:
                pictures.add(item.time_s, item.luma)
                times_s.append(item.time_s)
    pcm = np.concatenate([np.empty(0, np.int16), *sound])
    return _Content(pcm, pictures, tuple(times_s), decoding.audio_s, decoding.video_s, decoding.warnings)
