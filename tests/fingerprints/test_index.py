"""The index against counting by hand."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import index
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

PARAMS = AudioParams(reference_fanout=3, query_fanout=6, max_pair_frames=20, max_pair_bands=12)
CELL = 2**index.CELL_BITS

Landmarks = list[tuple[int, int]]
landmarks = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 40)), max_size=60, unique=True).map(sorted)
catalogues = st.lists(landmarks, max_size=4)


def made(places: Landmarks, params: AudioParams = PARAMS) -> AudioPrint:
    frames, bands = [f for f, _ in places], [b for _, b in places]
    return AudioPrint(params, 3.5, np.array(frames, np.int32), np.array(bands, np.int16))


def drawn(seed: int, n: int = 120, frames: int = 170, bands: int = 60) -> Landmarks:
    rng = np.random.default_rng(seed)
    return sorted(set(zip(rng.integers(0, frames, n).tolist(), rng.integers(0, bands, n).tolist(), strict=True)))


def pairs_by_hand(places: Landmarks, fanout: int) -> list[tuple[int, int, int, int]]:
    """Return (band, bands further, frames further, frame) of the first `fanout` partners of each landmark."""
    out = []
    for i, (frame, band) in enumerate(places):
        partners = [
            (band, other_band - band, other - frame, frame)
            for other, other_band in places[i + 1 :]
            if PARAMS.min_pair_frames <= other - frame <= PARAMS.max_pair_frames
            and abs(other_band - band) <= PARAMS.max_pair_bands
        ]
        out += partners[:fanout]
    return out


def votes_by_hand(references: list[Landmarks], bases: list[int], query: Landmarks) -> Counter[int]:
    votes: Counter[int] = Counter()
    wanted = pairs_by_hand(query, PARAMS.query_fanout)
    for base, reference in zip(bases, references, strict=False):
        for band, df, dt, frame in pairs_by_hand(reference, PARAMS.reference_fanout):
            for query_band, query_df, query_dt, query_frame in wanted:
                offset = base + frame - query_frame
                if band == query_band and abs(df - query_df) <= 1 and abs(dt - query_dt) <= 1 and offset >= 0:
                    votes[offset // CELL] += 1
    return votes


@given(catalogues, landmarks)
@settings(deadline=None, max_examples=60)
def test_votes_are_those_counted_by_hand(references: list[Landmarks], query: Landmarks) -> None:
    built = index.build([made(r) for r in references], PARAMS)
    votes = index.vote(built, made(query))
    by_hand = votes_by_hand(references, built.bases.tolist(), query)
    assert {cell: int(votes[cell]) for cell in np.flatnonzero(votes).tolist()} == dict(by_hand)


def test_votes_of_dense_prints_are_those_counted_by_hand() -> None:
    references = [drawn(seed) for seed in range(3)]
    query = [(f - 20, b) for f, b in references[1] if f >= 20]
    built = index.build([made(r) for r in references], PARAMS)
    votes = index.vote(built, made(query))
    by_hand = votes_by_hand(references, built.bases.tolist(), query)
    assert {cell: int(votes[cell]) for cell in np.flatnonzero(votes).tolist()} == dict(by_hand)
    assert int(votes.argmax()) == (built.bases[1] + 20) // CELL
    assert (built.bases[1] + 20) // CELL * CELL in index.candidates(votes, 5)


@given(landmarks)
@settings(deadline=None, max_examples=60)
def test_terms_tell_pairs_apart(places: Landmarks) -> None:
    terms, anchors = index.pairs(made(places), PARAMS.query_fanout)
    by_hand = pairs_by_hand(places, PARAMS.query_fanout)
    assert anchors.tolist() == [frame for *_, frame in by_hand]
    named: dict[int, tuple[int, int, int]] = {}
    for term, (band, df, dt, _) in zip(terms.tolist(), by_hand, strict=True):
        assert named.setdefault(term, (band, df, dt)) == (band, df, dt)
    assert len(set(named.values())) == len(named)
    assert all(0 <= term < index.n_terms(PARAMS) for term in named)


def test_the_vocabulary_is_bands_by_intervals() -> None:
    assert index.n_terms(AudioParams()) == 207 * 109 * 79 == 1_782_477


@given(catalogues)
@settings(deadline=None, max_examples=40)
def test_postings_are_sorted_and_complete(references: list[Landmarks]) -> None:
    built = index.build([made(r) for r in references], PARAMS)
    assert len(built.starts) == index.n_terms(PARAMS) + 1
    assert (built.starts[0], built.starts[-1]) == (0, len(built.postings))
    assert (np.diff(built.starts.astype(np.int64)) >= 0).all()
    used = np.flatnonzero(np.diff(built.starts)).tolist()
    assert all(
        (np.diff(built.postings[built.starts[t] : built.starts[t + 1]].astype(np.int64)) >= 0).all() for t in used
    )
    assert len(built.postings) == sum(len(pairs_by_hand(r, PARAMS.reference_fanout)) for r in references)
    assert all(after - before > index.GAP_FRAMES for before, after in pairwise(built.bases.tolist()))


@given(catalogues)
@settings(deadline=None, max_examples=30)
def test_prints_come_back_as_they_were_indexed(references: list[Landmarks]) -> None:
    built = index.build([made(r) for r in references], PARAMS)
    for ordinal, reference in enumerate(references):
        p = built.print_of(ordinal, PARAMS)
        assert list(zip(p.frames.tolist(), p.bands.tolist(), strict=True)) == reference
        assert (p.params, p.duration_s) == (PARAMS, 3.5)


@given(st.permutations(range(4)))
@settings(deadline=None, max_examples=10)
def test_the_order_of_registration_only_changes_ordinals(order: list[int]) -> None:
    references = [drawn(seed) for seed in range(4)]
    query = made([(f - 31, b) for f, b in references[2] if f >= 31])
    plain = index.build([made(r) for r in references], PARAMS)
    mixed = index.build([made(references[k]) for k in order], PARAMS)
    expected, votes = index.vote(plain, query), index.vote(mixed, query)
    for ordinal, k in enumerate(order):
        assert mixed.bases[ordinal] % CELL == plain.bases[k] % CELL == 0
        ours = slice((mixed.bases[ordinal] - 200) // CELL, (mixed.bases[ordinal] + 200) // CELL)
        theirs = slice((plain.bases[k] - 200) // CELL, (plain.bases[k] + 200) // CELL)
        np.testing.assert_array_equal(votes[ours], expected[theirs])


def test_an_empty_index_has_no_candidates() -> None:
    built = index.build([], PARAMS)
    votes = index.vote(built, made(drawn(0)))
    assert not votes.any()
    assert len(index.candidates(votes, 10)) == 0


@pytest.mark.parametrize("nothing", [[], [(5, 3)], [(5, 3), (6, 3)]], ids=["empty", "one landmark", "too near"])
def test_prints_without_pairs_vote_for_nothing(nothing: Landmarks) -> None:
    full = index.build([made(drawn(0)), made(nothing)], PARAMS)
    assert not index.vote(full, made(nothing)).any()
    assert not index.vote(index.build([made(nothing)], PARAMS), made(drawn(0))).any()


def candidates_by_hand(votes: list[int], limit: int) -> list[int]:
    sums = [a + b for a, b in pairwise(votes)]
    levels = [[cell for cell, s in enumerate(sums) if s >= least] for least in sorted({s for s in sums if s >= 2})]
    fitting = [cells for cells in levels if len(cells) <= limit]
    chosen = max(fitting, key=len) if fitting else (levels[-1][:limit] if levels else [])
    return [cell * CELL for cell in chosen]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 20))
@settings(deadline=None)
def test_candidates_are_the_fullest_cells(votes: list[int], limit: int) -> None:
    assert index.candidates(np.array(votes, np.uint16), limit).tolist() == candidates_by_hand(votes, limit)


@pytest.mark.parametrize("count", [2, 50, 5000, index.MAX_VOTES], ids=str)
def test_more_ties_than_wanted_still_give_candidates(count: int) -> None:
    votes = np.zeros(1000, np.uint16)
    votes[::4] = count
    assert len(index.candidates(votes, 200)) == 200


def test_votes_stop_at_their_limit() -> None:
    once = [(0, 10), (5, 10)]
    built = index.build([made(once)], PARAMS)
    votes = np.full_like(index.vote(built, made(once)), index.MAX_VOTES)
    terms, anchors = index.pairs(made(once), 1)
    n_dt = PARAMS.max_pair_frames - PARAMS.min_pair_frames + 1
    index._vote(built.starts, built.postings, terms, anchors, n_dt, 2 * PARAMS.max_pair_bands + 1, votes)
    assert (votes == index.MAX_VOTES).all()


def long(hours: float, n_landmarks: int) -> AudioPrint:
    frames = np.broadcast_to(np.int32(0), (n_landmarks,))
    return AudioPrint(PARAMS, hours * 3600, frames, np.broadcast_to(np.int16(0), (n_landmarks,)))


@pytest.mark.parametrize(
    ("print_", "message"),
    [(long(24_000, 0), "24000 hours"), (long(1, 2**31), "too many landmarks")],
    ids=["frames", "postings"],
)
def test_more_than_an_index_can_number_is_refused(print_: AudioPrint, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        index.build([print_], PARAMS)
