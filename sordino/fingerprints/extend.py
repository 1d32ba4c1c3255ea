"""
Prints that grow: what a live feed sends is laid into the print of a reference, piece by piece.

Each function is pure. A piece takes the place of whatever the print has in the same stretch, so laying it twice is as
laying it once, and one that comes late fills its own gap.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, VideoPrint
from sordino.fingerprints.parts import Prints

SAME_S = 1e-3  # times of pictures are kept in 32 bits, so that one may come back a little before it began


def extended_audio(whole: AudioPrint, piece: AudioPrint, at_s: float) -> AudioPrint:
    """
    Lay `piece` into `whole`, its beginning at `at_s`, which is taken to the nearest frame (20 ms).

    A second in which more landmarks meet than a print may have loses the last of them: prints choose the strongest of
    each second, and seconds of a piece may begin anywhere in those of the whole. Raises ValueError where the parameters
    differ or `at_s` is before 0.

    >>> from sordino.fingerprints.params import AudioParams
    >>> def sounding(*frames: int) -> AudioPrint:
    ...     return AudioPrint(AudioParams(), 1.0, np.array(frames, np.int32), np.full(len(frames), 9, np.int16))
    >>> extended_audio(sounding(0, 20, 40), sounding(5, 15), 0.5).frames
    array([ 0, 20, 30, 40], dtype=int32)
    """
    _check(whole, piece, at_s)
    if not piece.duration_s:  # a track that it lacks: the whole gets no longer by it
        return whole
    per_s = whole.params.frames_per_s
    at, end = round(at_s * per_s), round((at_s + piece.duration_s) * per_s)
    before, after = whole.frames < at, whole.frames >= max(at, end)
    frames = np.concatenate([whole.frames[before], piece.frames + np.int32(at), whole.frames[after]])
    bands = np.concatenate([whole.bands[before], piece.bands, whole.bands[after]])
    lasts_s = max(whole.duration_s, at_s + piece.duration_s)
    taken = (frames <= lasts_s * per_s) & _few_enough(frames, whole)
    return replace(whole, duration_s=lasts_s, frames=frames[taken], bands=bands[taken])


def extended_video(whole: VideoPrint, piece: VideoPrint, at_s: float) -> VideoPrint:
    """
    Lay `piece` into `whole`, its beginning at `at_s` seconds.

    The pictures' shape is that of the one of the two that has more of them. Raises ValueError as `extended_audio`.
    """
    _check(whole, piece, at_s)
    if not piece.duration_s:
        return whole
    before = whole.times_s < at_s - SAME_S
    after = whole.times_s >= at_s + piece.duration_s - SAME_S
    moved = replace(piece, times_s=piece.times_s + at_s, until_s=piece.until_s + at_s)
    joined = _joined(_frames(whole, before), moved, _frames(whole, after & ~before))
    shape = whole if len(whole.times_s) >= len(piece.times_s) else piece
    return replace(joined, duration_s=max(whole.duration_s, at_s + piece.duration_s), height=shape.height)


def extended(whole: Prints, piece: Prints, at_s: float) -> Prints:
    """Lay both tracks of `piece` into those of `whole`, which keeps its name."""
    sound = extended_audio(whole.audio, piece.audio, at_s)
    return replace(whole, audio=sound, video=extended_video(whole.video, piece.video, at_s))


def rest_of(whole: Prints, from_s: int, reference_id: str) -> Prints:
    """Return what comes after `from_s` (whole seconds) of both tracks, to be the beginning of another reference."""
    return Prints(reference_id, rest_of_audio(whole.audio, from_s), rest_of_video(whole.video, from_s))


def rest_of_audio(whole: AudioPrint, from_s: int) -> AudioPrint:
    """
    Return the print of what comes after `from_s`: whole seconds, so that none has more landmarks than before.

    It is empty where nothing does.
    """
    first = round(from_s * whole.params.frames_per_s)
    there = whole.frames >= first
    frames = (whole.frames[there] - first).astype(np.int32)
    return replace(whole, duration_s=max(0.0, whole.duration_s - from_s), frames=frames, bands=whole.bands[there])


def rest_of_video(whole: VideoPrint, from_s: int) -> VideoPrint:
    """Return the print of what comes after `from_s`."""
    rest = _frames(whole, whole.times_s >= from_s)
    return replace(
        rest,
        duration_s=max(0.0, whole.duration_s - from_s),
        times_s=rest.times_s - from_s,
        until_s=rest.until_s - from_s,
    )


def _check(whole: AudioPrint | VideoPrint, piece: AudioPrint | VideoPrint, at_s: float) -> None:
    if whole.params != piece.params:
        raise ValueError("prints of different parameters can't become one")
    if not at_s >= 0:
        raise ValueError(f"a piece must begin at 0 or later, not at {at_s}")


def _few_enough(frames: NDArray[np.int32], print_: AudioPrint) -> NDArray[np.bool_]:
    """Tell which landmarks are among the first of their second, as many as a print may have in one."""
    second = (frames / print_.params.frames_per_s).astype(np.int64)
    rank = np.arange(len(frames)) - np.searchsorted(second, second)
    return np.asarray(rank < max(print_.params.query_rate, print_.params.reference_rate))


def _frames(print_: VideoPrint, chosen: NDArray[np.bool_]) -> VideoPrint:
    """Return the print with the chosen frames only."""
    counts = np.diff(print_.starts)
    rows = np.repeat(chosen, counts)
    return replace(
        print_,
        times_s=print_.times_s[chosen],
        until_s=print_.until_s[chosen],
        starts=_starts(counts[chosen]),
        places=print_.places[rows],
        words=print_.words[rows],
    )


def _joined(*prints: VideoPrint) -> VideoPrint:
    """Return the frames of all, one after the other; none is shown beyond the beginning of the next."""
    times_s = np.maximum.accumulate(np.concatenate([p.times_s for p in prints]))
    until_s = np.maximum(times_s, np.concatenate([p.until_s for p in prints]))
    until_s[:-1] = np.minimum(until_s[:-1], times_s[1:])
    return replace(
        prints[0],
        times_s=times_s,
        until_s=until_s,
        starts=_starts(np.concatenate([np.diff(p.starts) for p in prints])),
        places=np.concatenate([p.places for p in prints]),
        words=np.concatenate([p.words for p in prints]),
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
