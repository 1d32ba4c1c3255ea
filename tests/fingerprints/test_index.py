"""The index against counting by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import index
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

PARAMS = AudioParams(reference_fanout=3, max_pair_frames=20, max_pair_bands=12)
FANOUT = 6  # of queries
PAGE = 2**index.PAGE_BITS

Landmarks = list[tuple[int, int]]
landmarks = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 40)), max_size=60, unique=True).map(sorted)
catalogues = st.lists(landmarks, max_size=4)


def made(places: Landmarks, params: AudioParams = PARAMS) -> AudioPrint:
    frames, bands = [f for f, _ in places], [b for _, b in places]
    return AudioPrint(params, 3.5, np.array(frames, np.int32), np.array(bands, np.int16))


def drawn(seed: int, n: int = 120, frames: int = 170, bands: int = 60) -> Landmarks:
    rng = np.random.default_rng(seed)
    return sorted(set(zip(rng.integers(0, frames, n).tolist(), rng.integers(0, bands, n).tolist(), strict=True)))


def pairs_by_hand(places: Landmarks, fanout: int, tempo: float = 1.0) -> list[tuple[int, int, int, int]]:
    """Return (band, bands further, frames further, frame) of the first `fanout` partners of each landmark."""
    out = []
    for i, (frame, band) in enumerate(places):
        partners = [
            (band, other_band - band, round(tempo * (other - frame)), frame)
            for other, other_band in places[i + 1 :]
            if PARAMS.min_pair_frames <= round(tempo * (other - frame)) <= PARAMS.max_pair_frames
            and abs(other_band - band) <= PARAMS.max_pair_bands
        ]
        out += partners[:fanout]
    return out


@given(landmarks, st.sampled_from([1.0, 0.86, 1.14, 0.5, 2.0]))
@settings(deadline=None, max_examples=100)
def test_terms_tell_pairs_apart(places: Landmarks, tempo: float) -> None:
    terms, anchors, _ = index.pairs(made(places), FANOUT, tempo)
    by_hand = pairs_by_hand(places, FANOUT, tempo)
    assert anchors.tolist() == [frame for *_, frame in by_hand]
    named: dict[int, tuple[int, int, int]] = {}
    for term, (band, df, dt, _) in zip(terms.tolist(), by_hand, strict=True):
        assert named.setdefault(term, (band, df, dt)) == (band, df, dt)
    assert len(set(named.values())) == len(named)
    assert all(0 <= term < index.n_terms(PARAMS) for term in named)


def test_terms_of_a_copy_at_another_tempo_are_those_of_the_reference() -> None:
    params, every = AudioParams(reference_fanout=3), 1000
    reference = sorted((7 * k, 11 * k % 40) for k in range(60))
    slower = [(2 * frame, band) for frame, band in reference]
    wanted = set(index.pairs(made(reference, params), params.reference_fanout)[0].tolist())
    assert wanted <= set(index.pairs(made(slower, params), every, 0.5)[0].tolist())
    assert not wanted <= set(index.pairs(made(slower, params), every)[0].tolist())


def test_the_vocabulary_is_bands_by_intervals() -> None:
    assert index.n_terms(AudioParams()) == 207 * 61 * 30 == 378_810


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


def placed(seconds: float, places: Landmarks) -> AudioPrint:
    frames, bands = [f for f, _ in places], [b for _, b in places]
    return AudioPrint(PARAMS, seconds, np.array(frames, np.int32), np.array(bands, np.int16))


def lasting(seconds: float) -> st.SearchStrategy[AudioPrint]:
    """Prints so long, with landmarks up to their very ends, on the borders of pages and several at one place."""
    last = int(seconds * PARAMS.frames_per_s)
    borders = [k for k in range(last + 1) if min(k % PAGE, -k % PAGE) <= 1]
    places = st.tuples(st.integers(0, last) | st.sampled_from(borders), st.integers(0, PARAMS.n_bands - 1))
    return st.lists(places, max_size=40).map(lambda found: placed(seconds, sorted(found)))


@given(st.lists(st.sampled_from([0.0, 0.01, 0.02, 4.1, 5.11, 5.12, 5.13, 20.48, 31.0]).flatmap(lasting), max_size=12))
@settings(deadline=None, max_examples=100)
def test_prints_come_back_as_they_were_indexed(prints: list[AudioPrint]) -> None:
    built = index.build(prints, PARAMS)
    for ordinal, p in enumerate(prints):
        back = built.print_of(ordinal, PARAMS)
        assert back.frames.tolist() == p.frames.tolist()
        assert back.bands.tolist() == p.bands.tolist()
        assert (back.frames.dtype.name, back.bands.dtype.name) == ("int32", "int16")
        assert (back.params, back.duration_s) == (PARAMS, p.duration_s)


def test_prints_of_many_references_come_back() -> None:
    rng = np.random.default_rng(0)
    prints = [made(drawn(seed, n=int(rng.integers(0, 120)))) for seed in range(1000)]
    built = index.build(prints, PARAMS)
    for ordinal in (0, 1, 498, 998, 999):
        assert built.print_of(ordinal, PARAMS).frames.tolist() == prints[ordinal].frames.tolist()


@given(catalogues)
@settings(deadline=None, max_examples=40)
def test_every_landmark_is_on_its_page(references: list[Landmarks]) -> None:
    built = index.build([made(r) for r in references], PARAMS)
    pages = np.repeat(np.arange(len(built.pages) - 1), np.diff(built.pages).astype(np.int64))
    places = zip((pages * PAGE + built.within).tolist(), built.bands.tolist(), strict=True)
    by_hand = [(base + f, b) for base, r in zip(built.bases.tolist(), references, strict=False) for f, b in r]
    assert list(places) == by_hand
    assert (len(built.pages) - 1) * PAGE > built.bases[-1]  # there is a page wherever a window may lie


def test_an_index_takes_two_bytes_a_landmark_and_four_a_posting() -> None:
    built = index.build([made(drawn(0))], PARAMS)
    assert (built.within.itemsize, built.bands.itemsize, built.postings.itemsize) == (1, 1, 4)


def test_references_are_far_enough_apart_for_a_query_to_begin_before_each() -> None:
    built = index.build([made(drawn(seed)) for seed in range(3)], PARAMS)
    assert built.bases[0] >= index.GAP_FRAMES
    assert (np.diff(built.bases) >= 3.5 * PARAMS.frames_per_s + index.GAP_FRAMES).all()


def test_more_than_an_index_can_number_is_refused() -> None:
    with pytest.raises(ValueError, match="24000 hours"):
        index.build([placed(24_000 * 3600, [])], PARAMS)
