"""The parameters of prints, stamped on every print and every index: prints of different parameters never mix."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class AudioParams:
    """How sound becomes landmarks. Everything that changes a landmark or a term is here, and nothing else."""

    sample_rate: int = 16_000  # Hz
    n_fft: int = 2048  # 128 ms: resolves a semitone above 130 Hz
    hop_length: int = 320  # 20 ms
    bands_per_octave: int = 36  # a third of a semitone: a pitch shift is a translation
    min_hz: float = 120.0
    max_hz: float = 6500.0
    local_bands: int = 9  # the local mean over frequency reaches this far to each side: 3 semitones
    peak_bands: int = 3  # a landmark is the maximum of so many bands ...
    peak_frames: int = 6  # ... and so many frames to each side
    peak_rise: float = 0.1  # of log magnitude, that it stands above the least of its band meanwhile
    reference_rate: int = 60  # landmarks a second kept of a reference
    query_rate: int = 80  # and of a query: peaks of music under speech are many and weak
    reference_fanout: int = 2  # pairs that each landmark of a reference is the first of
    min_pair_frames: int = 2
    max_pair_frames: int = 31  # 0.62 s: the next landmarks are near, and a near pair hardly feels a change of tempo
    max_pair_bands: int = 30  # ten semitones
    version: int = 2

    @property
    def n_bands(self) -> int:
        """Number of log-frequency bands (207 with the defaults)."""
        return int(self.bands_per_octave * math.log2(self.max_hz / self.min_hz))

    @property
    def frames_per_s(self) -> float:
        """Frames a second (50 with the defaults)."""
        return self.sample_rate / self.hop_length


@dataclass(frozen=True, slots=True)
class VideoParams:
    """How pictures become descriptors."""

    frames_per_s: float = 2.0  # at most; a print keeps each frame's own time
    reference_side: int = 320  # pixels of the longer side
    query_side: int = 640  # a copy may fill a third of the picture
    reference_landmarks: int = 200  # of a frame
    query_landmarks: int = 1000
    hot_side: int = 1280  # where references are hot: a copy may fill a sixth of the picture
    hot_landmarks: int = 2200  # about half of them as large as a query's otherwise are
    version: int = 3


def stamp(audio: AudioParams, video: VideoParams) -> str:
    """
    Name the parameters: equal stamps mean prints that may be compared.

    >>> stamp(AudioParams(), VideoParams()) == stamp(AudioParams(query_rate=60), VideoParams())
    False
    """
    text = json.dumps([asdict(audio), asdict(video)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
