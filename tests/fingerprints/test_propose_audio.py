"""Candidates against counting by hand, and where songs were planted."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import audio, index
from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.model import AudioPrint, AudioQuery
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.propose_audio import (
    CELL_BITS,
    FINE_BITS,
    MANY,
    PLAIN,
    SWEEP,
    Candidates,
    Change,
    Effort,
    Landmarks,
    lookup,
    propose,
    together,
)
from tests import synth
from tests.synth import RATE

PARAMS = AudioParams()
SMALL = AudioParams(reference_fanout=3, max_pair_frames=20, max_pair_bands=12)
WHOLE, SPARING = Effort(6, thirds=False), Effort(3)
SONGS, SONG_S, QUERY_S = 4, 30.0, 10.0
FINE = 2**FINE_BITS


def made(places: list[tuple[int, int]]) -> AudioPrint:
    frames, bands = [f for f, _ in places], [b for _, b in places]
    return AudioPrint(SMALL, 3.5, np.array(frames, np.int32), np.array(bands, np.int16))


def asked(places: list[tuple[int, int]], n_frames: int = 170) -> Landmarks:
    p = made(places)
    return Landmarks(SMALL, n_frames, p.frames, p.bands.astype(np.float64))


def drawn(seed: int, n: int = 120) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return sorted(set(zip(rng.integers(0, 170, n).tolist(), rng.integers(0, 60, n).tolist(), strict=True)))


# Counting by hand


def proposed(built: AudioIndex, query: Landmarks, change: Change, limit: int, effort: Effort) -> Candidates:
    return propose(built, lookup(query, change, effort), limit)


def votes_by_hand(prints: list[AudioPrint], query: Landmarks) -> Counter[int]:
    """Count, for each frame of the axis at the query's middle, pairs that are in both, one frame longer or shorter."""
    n_intervals = SMALL.max_pair_frames - SMALL.min_pair_frames + 1
    built, votes = index.build(prints, SMALL), Counter[int]()
    wanted = index.pairs(query.unshifted(0.0), WHOLE.fanout)
    for base, p in zip(built.bases.tolist(), prints, strict=False):
        for term, frame, _ in zip(*(a.tolist() for a in index.pairs(p, SMALL.reference_fanout)), strict=True):
            for asked_term, asked_frame, _ in zip(*(a.tolist() for a in wanted), strict=True):
                if term // n_intervals == asked_term // n_intervals and abs(term - asked_term) <= 1:
                    votes[base + frame - asked_frame + query.n_frames // 2] += 1
    return votes


@given(st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True), st.integers(0, 20), st.integers(0, 60))
@settings(deadline=None, max_examples=25)
def test_the_best_candidate_has_the_votes_counted_by_hand(references: list[int], query: int, later: int) -> None:
    prints = [made(drawn(seed)) for seed in references]
    looked_for = asked([(f - later, b) for f, b in drawn(query) if f >= later])
    votes = votes_by_hand(prints, looked_for)
    cells = Counter[int]()
    for frame, count in votes.items():
        cells[frame // FINE * FINE] += count
    pairs = {cell: cells[cell] + cells[cell + FINE] for cell in {c - k for c in cells for k in (0, FINE)}}
    found = proposed(index.build(prints, SMALL), looked_for, Change(), 1000, WHOLE)
    assert max(found.votes.tolist(), default=0) == max((n for n in pairs.values() if n >= 2), default=0)
    for (start, tempo, shift), count in zip(found.poses.tolist(), found.votes.tolist(), strict=True):
        assert (tempo, shift) == (1.0, 0.0)
        assert pairs[round(start) + looked_for.n_frames // 2 - FINE] == count


def test_no_candidate_has_fewer_votes_than_one_that_is_left_out() -> None:
    built = index.build([made(drawn(seed)) for seed in range(40)], SMALL)
    every = proposed(built, asked(drawn(3)), Change(), 1000, WHOLE)
    few = proposed(built, asked(drawn(3)), Change(), 5, WHOLE)
    assert len(every.votes) > 5
    assert sorted(few.votes.tolist()) == sorted(every.votes.tolist())[-5:]


@pytest.mark.parametrize("places", [1, 20, 50, 600])
def test_what_is_there_many_times_is_proposed_as_often_as_there_is_room(places: int) -> None:
    often = index.build([made(drawn(1))] * 50, SMALL)
    found = proposed(often, asked(drawn(1)), Change(places=places), 1000, WHOLE)
    right = np.abs(found.poses[:, None, 0] - often.bases[None, :50]).min(axis=1) <= FINE
    assert min(places, 50) <= right.sum() <= 2 * min(places, 50)  # a place may be the end of one cell, and the next one


@pytest.mark.parametrize("nothing", [[], [(5, 3)], [(5, 3), (6, 3)]], ids=["empty", "one landmark", "too near"])
def test_without_pairs_nothing_is_proposed(nothing: list[tuple[int, int]]) -> None:
    full = index.build([made(drawn(0)), made(nothing)], SMALL)
    for built, query in (
        (full, nothing),
        (index.build([made(nothing)], SMALL), drawn(0)),
        (index.build([], SMALL), []),
    ):
        found = proposed(built, asked(query), Change(), 10, WHOLE)
        assert (found.poses.shape, found.votes.shape) == ((0, 3), (0,))


def test_candidates_of_several_changes_are_one() -> None:
    one = Candidates(np.array([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), np.array([3, 5]))
    other = Candidates(np.array([[9.0, 1.1, 2.0]]), np.array([4]))
    best = together([one, other]).best(2)
    assert best.poses.tolist() == [[2.0, 1.0, 0.0], [9.0, 1.1, 2.0]]
    assert best.votes.tolist() == [5, 4]
    assert together([]).best(3).poses.shape == (0, 3)


def test_landmarks_are_shifted_by_fractions_of_a_band() -> None:
    between = Landmarks(SMALL, 9, np.arange(4, dtype=np.int32), np.array([0.4, 10.4, 10.6, SMALL.n_bands - 1.2]))
    assert between.unshifted(0.0).bands.tolist() == [0, 10, 11, SMALL.n_bands - 1]
    assert between.unshifted(0.5).bands.tolist() == [0, 10, 10, SMALL.n_bands - 2]
    assert between.unshifted(2.0).frames.tolist() == [1, 2, 3]  # what was below the lowest band is gone
    assert between.unshifted(-2.0).frames.tolist() == [0, 1, 2]


# Planted songs


@cache
def song(seed: int) -> synth.Samples:
    return synth.music(SONG_S, seed)


@pytest.fixture(scope="module")
def songs() -> AudioIndex:
    return index.build([audio.reference_print(song(seed)) for seed in range(SONGS)], PARAMS)


def window(sound: synth.Samples) -> Landmarks:
    query: AudioQuery = audio.query_print(sound[: round(QUERY_S * RATE)])
    return Landmarks(PARAMS, len(query.contrast), query.landmarks.frames, audio.between_bands(query))


def best_of(songs: AudioIndex, query: Landmarks, changes: tuple[Change, ...]) -> tuple[float, float, float]:
    """Return the best pose of all changes: the axis's frame at the query's middle, tempo, shift."""
    found = together(proposed(songs, query, change, 100, Effort(10, thirds=False)) for change in changes)
    start, tempo, shift = found.best(1).poses[0].tolist()
    return start + tempo * (query.n_frames / 2), tempo, shift


def test_a_song_as_it_was_recorded_is_the_best_candidate(songs: AudioIndex) -> None:
    for seed in range(SONGS):
        query = window(song(seed)[8 * RATE :])
        middle, tempo, shift = best_of(songs, query, PLAIN)
        assert (tempo, shift) == (1.0, 0.0)
        assert middle == pytest.approx(songs.bases[seed] + 400 + query.n_frames / 2, abs=FINE)


@pytest.mark.parametrize(
    ("tempo", "pitch"),
    [(1.0, 1.03), (1.0, 0.97), (1.0, 1.1), (1.0, 0.9), (1.05, 1.0), (0.95, 1.0), (1.2, 1.0), (0.8, 1.0),
     (1.04, 1.04), (0.96, 0.96), (1.12, 1.12), (0.88, 0.88)],
)  # fmt: skip
def test_the_sweep_proposes_a_changed_song(songs: AudioIndex, tempo: float, pitch: float) -> None:
    for seed in range(SONGS):
        query = window(synth.changed(song(seed)[8 * RATE :], tempo, pitch))
        middle, at_tempo, shift = best_of(songs, query, SWEEP)
        assert at_tempo == pytest.approx(tempo, abs=0.021)  # tempos are tried in steps of 0.02 ...
        assert shift == pytest.approx(PARAMS.bands_per_octave * np.log2(pitch), abs=0.51)  # ... pitches of half a band
        assert middle == pytest.approx(songs.bases[seed] + 400 + tempo * query.n_frames / 2, abs=5)


def test_what_is_tried_with_the_terms_of_a_tempo_is_within_what_the_wide_cells_hold() -> None:
    for change in (*PLAIN, *SWEEP):
        assert (
            max(abs(tempo - change.tempo) for tempo in change.tempos) * QUERY_S * PARAMS.frames_per_s / 2 < 2**CELL_BITS
        )
    assert len({(change.shift, tempo) for change in SWEEP for tempo in change.tempos}) == sum(
        len(change.tempos) for change in SWEEP
    )  # none twice


# Sparing


def places_by_hand(built: AudioIndex, query: Landmarks, n_intervals: int) -> list[int]:
    """Return the places that the pairs vote for whose third landmark, or a band beside it, the query has too."""
    terms, frames, thirds = (a.tolist() for a in index.pairs(query.unshifted(0.0), SPARING.fanout))
    places = []
    for k, (term, frame) in enumerate(zip(terms, frames, strict=True)):
        later = [t for j, t in enumerate(thirds) if j >= k and index.NO_THIRD not in thirds[k : j + 1]]
        lowest = term - term % n_intervals
        for near in range(max(lowest, term - 1), min(lowest + n_intervals, term + 2)):
            there = built.postings[built.starts[near] : built.starts[near + 1]].tolist()
            right = [p for p in there if any(abs((p >> index.FRAME_BITS) - third) <= 1 for third in later)]
            places += [(p & index.FRAMES) - (frame - query.n_frames // 2) for p in right]
    return sorted(places)


@pytest.mark.parametrize("copies", [1, MANY])  # a term's postings are gone through where they are few
@given(references=st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True), query=st.integers(0, 20))
@settings(deadline=None, max_examples=10)
def test_sparing_counts_what_has_the_third_landmark_too(copies: int, references: list[int], query: int) -> None:
    built = index.build([made(drawn(seed)) for seed in references] * copies, SMALL)
    looked_for = asked(drawn(query))
    places = places_by_hand(built, looked_for, SMALL.max_pair_frames - SMALL.min_pair_frames + 1)
    cells = Counter(place // FINE * FINE for place in places)
    pairs = Counter({cell - k: 0 for cell in cells for k in (0, FINE)})
    for cell in pairs:
        pairs[cell] = cells[cell] + cells[cell + FINE]
    found = proposed(built, looked_for, Change(), 1000, SPARING)
    assert max(found.votes.tolist(), default=0) == max((n for n in pairs.values() if n >= 2), default=0)
    for start, count in zip(found.poses[:, 0].tolist(), found.votes.tolist(), strict=True):
        assert pairs[round(start) + looked_for.n_frames // 2 - FINE] == count


def test_what_is_to_be_looked_for_whole_is_not_spared() -> None:
    built, looked_for = index.build([made(drawn(seed)) for seed in range(40)], SMALL), asked(drawn(3))
    whole = proposed(built, looked_for, Change(whole=True), 1000, SPARING)
    every = proposed(built, looked_for, Change(), 1000, Effort(10, thirds=False))
    assert (whole.poses.tolist(), whole.votes.tolist()) == (every.poses.tolist(), every.votes.tolist())
    assert len(whole.votes) > len(proposed(built, looked_for, Change(), 1000, SPARING).votes)
    assert [(change.shift, change.tempo) for change in SWEEP if change.whole] == [(0.0, 1.0)]


def test_a_changed_song_is_proposed_sparingly_too(songs: AudioIndex) -> None:
    query = window(synth.changed(song(1)[8 * RATE :], 1.04, 1.04))
    found = together(proposed(songs, query, change, 100, Effort(5)) for change in SWEEP).best(1)
    start, tempo, _ = found.poses[0].tolist()
    assert start + tempo * query.n_frames / 2 == pytest.approx(songs.bases[1] + 400 + 1.04 * query.n_frames / 2, abs=5)


def test_the_third_landmark_fits_above_the_frame() -> None:
    assert 2 * AudioParams().max_pair_bands < index.NO_THIRD
    assert np.iinfo(np.uint32).max == index.NO_THIRD << index.FRAME_BITS | index.FRAMES
