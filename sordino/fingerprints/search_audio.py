"""
A window of the query and the references that sound in it: proposed by votes, verified, and judged against chance.

As it was recorded is tried first. Only where nothing is surely found so, every pitch and tempo is
(`propose_audio.SWEEP`): that costs ten times as much, and chance has forty times as many tries.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.audio import between_bands
from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.model import AudioQuery
from sordino.fingerprints.propose_audio import (
    PLAIN,
    SWEEP,
    WHOLE,
    Candidates,
    Change,
    Effort,
    Landmarks,
    lookup,
    propose,
    together,
)
from sordino.fingerprints.verify_audio import BINS, ROW, chance, salience, verify, widening

WINDOW_S = 10.0
HOP_S = 5.0
JITTER = 3  # frames to each side of a candidate
EXPECTED_JITTER = 12  # and of a pose that was expected: it was fitted elsewhere in the song
PARTLY = 1.2  # the best run outdoes the whole window by this, where a song fills 70 % of it
MAX_LOG10_FALSE_POSITIVE = -3.0
SURE = -6.0  # log10 of the chance of what needs no second search: held notes agree a little at a wrong tempo too


@dataclass(frozen=True, slots=True)
class Tail:
    """The chance that a window without the work reaches `s` deviations: 10^-((s - `at`) / `decade`), at most 1."""

    at: float
    decade: float

    def log10(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of the chance of each score."""
        return -np.maximum(0.0, scores - self.at) / self.decade


Tails = tuple[Tail, Tail]  # for the sum over the whole window and for that over the best run


@dataclass(frozen=True, slots=True)
class Search:
    """
    What is tried, how many candidates are verified at which tempos around theirs, and what chance reaches so.

    `efforts`: up to so many hours of references, so much is read of their postings; a search shall not take longer by
    more than the square root of the hours.

    The deviations of the best candidate *less those that other references reach in the same window* decide
    (`outstanding`): sustained notes coincide with many, a song is one's own. The plain deviations (`alone`) are the
    second opinion, where a recording is registered many times.
    """

    changes: tuple[Change, ...]
    efforts: tuple[tuple[float, Effort], ...]
    candidates: int
    tilts: tuple[float, ...]
    outstanding: Tails
    alone: Tails


# Fitted to real music, alone and under speech, of other packages than are reported on: `python -m benchmarks.calibrate`
AS_RECORDED = Search(
    changes=PLAIN,
    efforts=((150.0, WHOLE), (1500.0, Effort(7)), (math.inf, Effort(5))),
    candidates=200,
    tilts=(0.0,),
    outstanding=(Tail(0.33, 1.35), Tail(0.24, 1.79)),
    alone=(Tail(3.62, 1.40), Tail(4.02, 1.96)),
)
CHANGED = Search(
    changes=SWEEP,
    efforts=(
        (15.0, Effort(7, thirds=False)),
        (40.0, Effort(7, near=0, thirds=False)),
        (150.0, Effort(5, near=0, thirds=False)),
        (400.0, Effort(5, near=0, thirds=False, halves=False)),
        (1200.0, Effort(2, near=0, thirds=False, halves=False)),
        (2000.0, Effort(5, near=0, halves=False)),
        (3500.0, Effort(3, near=0, halves=False)),
        (math.inf, Effort(2, near=0, halves=False)),
    ),
    candidates=300,
    tilts=(-0.007, 0.0, 0.007),
    outstanding=(Tail(0.24, 1.52), Tail(0.70, 1.56)),
    alone=(Tail(3.73, 2.13), Tail(4.47, 2.53)),
)
EXPECTED = (Tail(1.47, 0.98), Tail(1.45, 1.17))
SEARCHES = math.log10(2)  # a window without any work is searched twice
SECOND_OPINION = 1.0  # decades that it must be surer by, so that asking it costs next to nothing
SEARCHED_HOURS = 10.0  # of references when it was fitted; chance grows as their number
OTHERS = slice(2, 8)  # ranks of the references that say what others reach: the first two may both be right
TYPICAL_OTHERS = (3.0, 3.4)  # where there are not so many references
REPEAT_S = 60.0  # to each side of a pose, another place of the reference ...
REPEATS = (0.7, 0.8)  # ... that fits so nearly as well tells of a loop, which other works may have too: ...
LOOP = 0.4  # ... so much is left of the evidence
APART_S = 1.0  # nearer is the same place


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a query lies on a reference: reference frame = `start_frame` + `speed` * query frame; bands `shift` up."""

    reference: int  # ordinal
    start_frame: float
    speed: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A pose that one window supports, or a run of tenths of it; frames are the query's."""

    pose: Pose
    window_first: int
    window_stop: int
    first_frame: int
    stop_frame: int
    score: float
    log10_false_positive: float


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The indexes that are searched together, as one: ordinals count through them."""

    indexes: tuple[AudioIndex, ...]

    @property
    def hours(self) -> float:
        """Of sound."""
        return sum(float(index.durations_s.sum()) for index in self.indexes) / 3600

    def firsts(self) -> list[int]:
        """Return the ordinal of each index's first reference, and how many there are."""
        return [0, *np.cumsum([len(index.durations_s) for index in self.indexes]).tolist()]

    def place(self, ordinal: int) -> tuple[int, int]:
        """Return the number of the index that holds a reference, and its ordinal there."""
        firsts = self.firsts()
        number = int(np.searchsorted(firsts, ordinal, side="right")) - 1
        return number, ordinal - firsts[number]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """
    A stretch of the query from frame `first` on, and what chance reaches in it (`verify_audio.chance`).

    A coincidence that is rare reaches `wider` times further than the deviation of chance tells.
    """

    first: int
    landmarks: Landmarks
    salient: NDArray[np.float32]
    chance: NDArray[np.float64]
    wider: float

    def deviations(self, rows: NDArray[np.void]) -> NDArray[np.float64]:
        """Return float64[k, 2]: how far the two sums of verified rows are above chance."""
        return np.asarray((rows["sums"] - self.chance[:, 0]) / (self.chance[:, 1] * self.wider))


def windows(query: AudioQuery, references: References) -> Iterator[Window]:
    """Yield the overlapping windows of a query that have anything to look for, if there is anything to be found."""
    if not references.indexes:
        return
    params, p = query.landmarks.params, query.landmarks
    n, width, hop = len(query.contrast), round(WINDOW_S * params.frames_per_s), round(HOP_S * params.frames_per_s)
    rest = max(0, n - width - hop // 4)  # a little more than a window is one window: its ends are looked for beyond it
    bands = between_bands(query)
    for first in range(0, rest + hop, hop):
        start = max(0, min(first, n - width))
        stop = min(n, start + width)
        mine = slice(*np.searchsorted(p.frames, [start, stop]))
        if mine.stop > mine.start:
            landmarks = Landmarks(params, stop - start, p.frames[mine] - np.int32(start), bands[mine])
            salient = salience(query.contrast[start:stop])
            yield Window(start, landmarks, salient, chance(salient, references.indexes), widening(salient))


def search(window: Window, references: References, expected: Sequence[Pose]) -> list[Hypothesis]:
    """Return the surest poses that are beyond chance in this window: of each reference one at a time."""
    found = list(_surest(h for pose in expected for h in _as_expected(window, references, pose)))
    for how in (AS_RECORDED, CHANGED):
        rows = candidates(window, references, how)
        beyond = _surest(_beyond_chance(rows, judged(window, rows, how, references.hours), window))
        found += [_doubted(h, window, references) for h in beyond]
        if any(h.log10_false_positive <= SURE for h in found):
            break
    return [h for h in _surest(found) if h.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE]


def _surest(hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
    """Yield the surest first, and of one reference only what lies beside those."""
    best: list[Hypothesis] = []
    for h in sorted(hypotheses, key=lambda h: (h.log10_false_positive, -h.score)):
        mine = (b for b in best if b.pose.reference == h.pose.reference)
        if all(h.first_frame >= b.stop_frame or h.stop_frame <= b.first_frame for b in mine):
            best.append(h)
            yield h


def _doubted(h: Hypothesis, window: Window, references: References) -> Hypothesis:
    """
    Return a hypothesis less sure, if other places of its reference fit nearly as well.

    What fits in many places is a loop or a beat. Works of one composer share these, and of one sample library: as
    evidence of the recording they are worth less. What is sure even so is left as it is.
    """
    if h.log10_false_positive * LOOP <= SURE:
        return h
    number, ordinal = references.place(h.pose.reference)
    index, per_s = references.indexes[number], window.landmarks.params.frames_per_s
    here = index.bases[ordinal] + h.pose.start_frame + h.pose.speed * h.first_frame
    away = np.arange(-REPEAT_S * per_s, REPEAT_S * per_s, 2 * JITTER + 1)
    starts = here + away[np.abs(away) > APART_S * per_s]
    heard = window.salient[h.first_frame - window.first : h.stop_frame - window.first]
    fits = _fits(heard, index, ordinal, h.pose, np.array([here]))
    elsewhere = _fits(heard, index, ordinal, h.pose, starts)
    if not len(fits) or not len(elsewhere):
        return h
    left = float(np.interp(elsewhere.max() / fits[0], REPEATS, (1.0, LOOP)))
    return replace(h, log10_false_positive=left * h.log10_false_positive)


def _fits(
    heard: NDArray[np.float32], index: AudioIndex, ordinal: int, pose: Pose, starts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what is heard of a reference at the tempo and pitch of a pose, from other frames of the axis on."""
    poses = np.stack([starts, np.full(len(starts), pose.speed), np.full(len(starts), pose.shift)], axis=1)
    rows = verify(heard, index, poses, JITTER)
    return np.asarray(rows["sums"][rows["reference"] == ordinal, 0])


def candidates(window: Window, references: References, how: Search) -> NDArray[np.void]:
    """Return the verified candidates of one kind of search: an array of `verify_audio.ROW`."""
    effort = next(effort for hours, effort in how.efforts if references.hours <= hours)
    more = math.sqrt(max(1.0, references.hours / SEARCHED_HOURS))
    limit, places = round(how.candidates * more), max(1.0, more / len(references.indexes))
    tried = (change for change in how.changes if effort.halves or change.shift % 1 == 0)
    changes = (replace(change, places=round(change.places * places)) for change in tried)
    lookups = [lookup(window.landmarks, change, effort) for change in changes]
    proposed = [together(propose(index, asked, limit) for asked in lookups).best(limit) for index in references.indexes]
    votes = np.sort(np.concatenate([np.empty(0, np.int64), *(c.votes for c in proposed)]))[::-1]
    least = votes[min(limit, len(votes)) - 1] if len(votes) else 0
    poses = [_tilted(c, least, window.landmarks.n_frames / 2, how.tilts) for c in proposed]
    return _verified(window, references, poses, JITTER)


def _tilted(proposed: Candidates, least: int, middle: float, tilts: Sequence[float]) -> NDArray[np.float64]:
    """Return the poses with enough votes, at tempos around theirs, turned about the query's middle."""
    poses = proposed.poses[proposed.votes >= least]
    return np.concatenate([poses + np.array([-tilt * middle, tilt, 0.0]) for tilt in tilts])


def _verified(
    window: Window, references: References, poses: Sequence[NDArray[np.float64]], jitter: int
) -> NDArray[np.void]:
    rows = [np.empty(0, ROW)]
    for first, index, mine in zip(references.firsts(), references.indexes, poses, strict=False):
        rows.append(verify(window.salient, index, mine, jitter))
        rows[-1]["reference"] += first
    return np.concatenate(rows)


def judged(window: Window, rows: NDArray[np.void], how: Search, hours: float) -> NDArray[np.float64]:
    """Return float64[k, 2]: log10 of the chance that a window without the work has such a row, by each of its sums."""
    deviations = window.deviations(rows)
    outstanding = _log10(deviations - others_reach(rows["reference"], deviations, window.wider), how.outstanding)
    # What others reach grows with the hours, as what the best by chance does. Fewer hours do not make chance rarer in
    # proportion: as many candidates are verified in any case.
    more = max(0.0, math.log10(max(hours, 1e-9) / SEARCHED_HOURS))
    alone = _log10(deviations, how.alone) + SECOND_OPINION + more
    return np.minimum(outstanding, alone) + SEARCHES


def _log10(scores: NDArray[np.float64], tails: Tails) -> NDArray[np.float64]:
    """Return float64[k, 2]: the chance of the two sums of each row, of which the better one will be taken."""
    return np.stack([tail.log10(scores[:, k]) for k, tail in enumerate(tails)], axis=1) + math.log10(2)


def others_reach(references: NDArray[np.int64], deviations: NDArray[np.float64], wider: float) -> tuple[float, float]:
    """Return what references that are not the best reach in this window, by the whole sum and by the best run."""
    names, which = np.unique(references, return_inverse=True)
    best = np.full((len(names), 2), -np.inf)
    np.maximum.at(best, which, deviations)
    ranked = np.sort(best, axis=0)[::-1][OTHERS]
    missing = np.tile(np.array(TYPICAL_OTHERS) / wider, (OTHERS.stop - OTHERS.start - len(ranked), 1))
    whole, run = np.median(np.concatenate([ranked, missing]), axis=0)
    return float(whole), float(run)


def _beyond_chance(rows: NDArray[np.void], log10: NDArray[np.float64], window: Window) -> Iterator[Hypothesis]:
    """Yield the verified rows that chance does not explain, by the more surprising of their two sums."""
    scores, n_frames = window.deviations(rows), window.landmarks.n_frames
    for k in np.flatnonzero(log10.min(axis=1, initial=0.0) <= MAX_LOG10_FALSE_POSITIVE):
        row, which = rows[k], int(log10[k].argmin())
        in_part = int(row["sums"][1] > PARTLY * row["sums"][0])
        start, stop = row["run"] / BINS if in_part else (0.0, 1.0)
        tempo = float(row["tempo"])
        yield Hypothesis(
            Pose(int(row["reference"]), row["starts"][in_part] - tempo * window.first, tempo, float(row["shift"])),
            window.first,
            window.first + n_frames,
            window.first + int(start * n_frames),
            window.first + int(stop * n_frames),
            float(scores[k, which]),
            float(log10[k, which]),
        )


def _as_expected(window: Window, references: References, pose: Pose) -> Iterator[Hypothesis]:
    """Yield the pose, if it is beyond the chance of one pose that is not searched for."""
    number, ordinal = references.place(pose.reference)
    base = references.indexes[number].bases[ordinal]
    here = np.array([[base + pose.start_frame + pose.speed * window.first, pose.speed, pose.shift]])
    poses = [here if k == number else np.empty((0, 3)) for k in range(len(references.indexes))]
    rows = _verified(window, references, poses, EXPECTED_JITTER)
    rows = rows[rows["reference"] == pose.reference]
    for found in _beyond_chance(rows, _log10(window.deviations(rows), EXPECTED), window):
        yield replace(found, pose=replace(found.pose, shift=pose.shift))
