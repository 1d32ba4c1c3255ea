"""The values of this package. Seconds end in `_s`; arrays are read only by convention."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.params import AudioParams, VideoParams

Track = Literal["audio", "video"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """
    A stretch of time, in seconds; `end_s` is not part of it.

    >>> Span(1.0, 4.0).overlap_s(Span(3.0, 9.0))
    1.0
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)) or self.end_s < self.start_s:
            raise ValueError(f"a span needs finite seconds in order, not {self.start_s} to {self.end_s}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, other: "Span") -> float:
        """Seconds that both have."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def shifted(self, by_s: float) -> "Span":
        """Return the same stretch, `by_s` seconds later."""
        return Span(self.start_s + by_s, self.end_s + by_s)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """
    Merge what overlaps or touches; sorted, and without empty spans.

    >>> union([Span(3, 5), Span(1, 4), Span(7, 7)])
    (Span(start_s=1, end_s=5),)
    """
    merged: list[Span] = []
    for span in sorted(span for span in spans if span.duration_s > 0):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Span(merged[-1].start_s, max(merged[-1].end_s, span.end_s))
        else:
            merged.append(span)
    return tuple(merged)


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A rectangle of the picture; all four are fractions of its width or height."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True, eq=False)
class AudioPrint:
    """
    Landmarks of a piece of sound: local maxima of spectral contrast.

    `frames` int32[n] (hops of `params.hop_length`), ascending; `bands` int16[n], the log-frequency band of each.
    """

    params: AudioParams
    duration_s: float
    frames: NDArray[np.int32]
    bands: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class AudioQuery:
    """
    What is looked for in the catalogue: many landmarks to propose with, and the contrast map to verify on.

    `contrast` float32[n_frames, n_bands]: log magnitude less its local mean over frequency
    (`audio.contrast_map`); it is standardised over each window when that is searched.
    """

    landmarks: AudioPrint
    contrast: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class VideoPrint:
    """
    Landmarks of a piece of picture: corners of its frames, and how they look.

    `height`: of the pictures, in their widths. A frame that hardly differs from the one before is not described again:
    frame k was shown first at `times_s[k]` and last at `until_s[k]`, both float64[n] and ascending. `starts`
    int64[n + 1]: it has the landmarks from `starts[k]` to `starts[k + 1]`. `places` float32[m, 3]: x, y and size of
    each, in widths of the picture; `words` uint64[m] (`video`).
    """

    params: VideoParams
    duration_s: float
    height: float
    times_s: NDArray[np.float64]
    until_s: NDArray[np.float64]
    starts: NDArray[np.int64]
    places: NDArray[np.float32]
    words: NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class VideoQuery:
    """What is looked for in the catalogue: landmarks, and which bits of their words are least sure: uint8[m, 4]."""

    landmarks: VideoPrint
    unsure: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Match:
    """
    A verified finding: this stretch of the query is that stretch of the reference.

    `speed` is query over reference (1.04: the copy plays 4 % faster). `score` orders matches and is no probability;
    `log10_false_positive` is calibrated: the chance that a query without the work yields such a match.
    """

    reference_id: str
    track: Track
    query: Span
    reference: Span
    speed: float
    pitch_semitones: float
    mirrored: bool
    region: Region | None
    score: float
    log10_false_positive: float
