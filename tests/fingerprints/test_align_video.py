from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import null_video, video
from sordino.fingerprints.align_video import Search, VideoAlignment, find
from sordino.fingerprints.model import Span, VideoPrint
from tests import synth

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Table:
    hashes: NDArray[np.uint64]
    times_s: NDArray[np.float32]
    starts: NDArray[np.int64]

    def find(self, query: VideoPrint, search: Search | None = None) -> list[VideoAlignment]:
        return find(query, self.hashes, self.times_s, self.starts, search)


def film(seed: int, seconds: float = 60) -> Pictures:
    """Shoot scenes of 4 to 12 s with slow pans, at 10 frames a second."""
    return synth.pictures(seconds / 3, seed, fps=3 * synth.FPS, width=160, height=90)


def shown(frames: Pictures, start_s: float, end_s: float, speed: float = 1.0) -> Pictures:
    """Return what one sees of that stretch at 10 frames a second, at that speed."""
    rows = (np.arange(start_s, end_s, speed / synth.FPS) * synth.FPS + 1e-6).astype(int)
    picked: Pictures = frames[np.minimum(rows, len(frames) - 1)]
    return picked


def printed(frames: Pictures, first: int = 0) -> VideoPrint:
    """Take two frames a second, from the given frame on."""
    times_s = np.arange(first, len(frames), synth.FPS // 2) / synth.FPS
    return video.fingerprint(times_s, frames[first :: synth.FPS // 2], len(frames) / synth.FPS, mirrored=True)


def table(*prints: VideoPrint) -> Table:
    empty = video.fingerprint(np.empty(0), [], 0.0)
    return Table(
        np.concatenate([empty.hashes, *(own.hashes for own in prints)]),
        np.concatenate([empty.times_s, *(own.times_s for own in prints)]).astype(np.float32),
        np.cumsum([0, *(len(own.times_s) for own in prints)]),
    )


FILMS = [film(seed) for seed in range(4)]
REFERENCES = table(*(printed(frames) for frames in FILMS))


def assert_near(found: Span, truth: Span, within_s: float = 1.0) -> None:
    assert found.start_s == pytest.approx(truth.start_s, abs=within_s)
    assert found.end_s == pytest.approx(truth.end_s, abs=within_s)


@pytest.mark.parametrize("mirrored", [False, True], ids=["straight", "mirrored"])
@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25, 1.6])
@pytest.mark.parametrize("at_s", [7.3, 33.1])
def test_a_stretch_between_strange_pictures_is_found_where_it_was_planted(
    at_s: float, speed: float, mirrored: bool
) -> None:
    piece = shown(FILMS[2], at_s, at_s + 10 * speed, speed)
    strange = film(90, 8)
    copy = np.concatenate([strange[:35], piece[:, :, ::-1] if mirrored else piece, strange[35:]])
    (found,) = REFERENCES.find(printed(copy, first=3))
    assert (found.ordinal, found.mirrored) == (2, mirrored)
    assert_near(found.query, Span(3.5, 13.5))
    assert_near(found.reference, Span(at_s, at_s + 10 * speed))
    assert found.speed == pytest.approx(speed, rel=0.02)
    assert found.log10_false_positive < -20


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 450), length=st.integers(60, 150), before=st.integers(0, 40), after=st.integers(0, 40))
def test_spans_are_near_wherever_the_stretch_lies(start: int, length: int, before: int, after: int) -> None:
    strange = film(91, 8)
    copy = np.concatenate([strange[:before], FILMS[1][start : start + length], strange[40 : 40 + after]])
    (found,) = REFERENCES.find(printed(copy))
    start_s, length_s, before_s = start / synth.FPS, length / synth.FPS, before / synth.FPS
    assert found.ordinal == 1
    assert_near(found.query, Span(before_s, before_s + length_s))
    assert_near(found.reference, Span(start_s, start_s + length_s))


def test_works_one_after_the_other_are_both_found() -> None:
    copy = np.concatenate([shown(FILMS[0], 5, 15), shown(FILMS[3], 20, 28)])
    first, second = sorted(REFERENCES.find(printed(copy)), key=lambda match: match.query)
    assert (first.ordinal, second.ordinal) == (0, 3)
    assert_near(first.query, Span(0, 10))
    assert_near(second.query, Span(10, 18))
    assert_near(second.reference, Span(20, 28))


def test_a_shot_that_two_references_have_gives_both() -> None:
    other = np.concatenate([FILMS[3][:200], FILMS[0][100:250], FILMS[3][200:]])
    found = table(printed(FILMS[0]), printed(other)).find(printed(FILMS[0][120:220]))
    assert {match.ordinal for match in found} == {0, 1}
    for match in found:
        assert_near(match.query, Span(0, 10))
        assert_near(match.reference, Span(12, 22) if match.ordinal == 0 else Span(22, 32))


@pytest.mark.parametrize("pieces", [[(40, 50), (10, 20)], [(20, 28), (20, 28), (20, 28)]], ids=["re-ordered", "looped"])
def test_pieces_give_a_match_each(pieces: list[tuple[float, float]]) -> None:
    copy = np.concatenate([shown(FILMS[1], *piece) for piece in pieces])
    found = sorted(REFERENCES.find(printed(copy)), key=lambda match: match.query)
    assert [match.ordinal for match in found] == [1] * len(pieces)
    at_s = 0.0
    for match, (start_s, end_s) in zip(found, pieces, strict=True):
        assert_near(match.query, Span(at_s, at_s + end_s - start_s))
        assert_near(match.reference, Span(start_s, end_s))
        at_s += end_s - start_s


def test_frames_lost_in_the_middle_do_not_split_a_match() -> None:
    copy = shown(FILMS[2], 10, 30).copy()
    copy[80:100] = 0
    (found,) = REFERENCES.find(printed(copy))
    assert_near(found.query, Span(0, 20))
    assert_near(found.reference, Span(10, 30))


def test_strange_films_match_nothing() -> None:
    for seed in range(50, 56):
        assert REFERENCES.find(printed(film(seed, 30)), Search(max_log10_false_positive=0.0)) == []


def test_one_picture_alike_in_a_strange_film_is_no_match() -> None:
    strange = film(70, 10).copy()
    strange[50] = FILMS[0][100]
    assert REFERENCES.find(printed(strange)) == []


def test_a_still_picture_is_found_where_it_stands() -> None:
    still, strange = np.repeat(FILMS[0][100:101], 100, axis=0), film(71, 20)
    reference = table(printed(np.concatenate([strange[:100], still, strange[100:]])))
    (found,) = reference.find(printed(np.concatenate([film(72, 4), still[:60], film(73, 4)])))
    assert_near(found.query, Span(4, 10))
    assert 9 <= found.reference.start_s <= found.reference.end_s <= 21


def test_a_still_picture_is_one_observation_however_long_it_is_shown() -> None:
    seconds = [evidence_of_a_still(shown_s) for shown_s in (3, 10, 60)]
    assert seconds[0] == pytest.approx(seconds[2], rel=0.05)
    moving = null_video.combine(np.full(20, -8.0), printed(shown(FILMS[0], 0, 10)).hashes).score
    assert moving > 3 * seconds[2]


def evidence_of_a_still(shown_s: int) -> float:
    noisy = np.repeat(FILMS[0][100:101], shown_s * synth.FPS, axis=0).astype(np.int16)
    noisy += np.random.default_rng(0).integers(-3, 4, size=noisy.shape).astype(np.int16)
    own = printed(np.clip(noisy, 0, 255).astype(np.uint8))
    return null_video.combine(np.full(len(own.hashes), -8.0), own.hashes).score


@given(st.lists(st.floats(-12, 0), min_size=1, max_size=30), st.integers(0, 1000))
@settings(deadline=None)
def test_the_chance_of_independent_frames_is_that_of_fisher(log10_p: list[float], seed: int) -> None:
    hashes = np.random.default_rng(seed).integers(0, 2**64, size=(len(log10_p), 4), dtype=np.uint64)
    evidence = null_video.combine(np.array(log10_p), hashes)
    assume(evidence.pictures == len(log10_p))  # of many random pictures two may be a little alike
    # An upper bound of Erlang's tail, and no less than the product alone would say.
    x = evidence.score * np.log(10)
    terms = np.cumsum([0.0, *np.log(max(x, 1e-300) / np.arange(1, len(log10_p)))])
    exact = (np.logaddexp.reduce(terms) - x) / np.log(10)
    assert evidence.log10_chance >= min(0.0, exact) - 1e-6
    assert evidence.log10_chance >= -evidence.score - 1e-6


def test_a_read_only_memory_map_is_enough(tmp_path: Path) -> None:
    for name in ("hashes", "times_s", "starts"):
        np.save(tmp_path / f"{name}.npy", getattr(REFERENCES, name))
    mapped = Table(*(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("hashes", "times_s", "starts")))
    query = printed(shown(FILMS[0], 5, 15))
    assert mapped.find(query) == REFERENCES.find(query)


def test_nothing_is_found_in_nothing() -> None:
    query, empty = printed(FILMS[0]), printed(FILMS[0][:0])
    assert table().find(query) == []
    assert table(empty, empty).find(query) == []
    assert REFERENCES.find(empty) == []


def test_a_query_without_mirrored_hashes_is_searched_as_it_is() -> None:
    straight = replace(printed(shown(FILMS[0], 5, 15)), mirrored=None)
    reflected = replace(printed(shown(FILMS[0], 5, 15)[:, :, ::-1]), mirrored=None)
    assert [match.ordinal for match in REFERENCES.find(straight)] == [0]
    assert REFERENCES.find(reflected) == []


def test_tables_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        replace(REFERENCES, times_s=REFERENCES.times_s[:-1]).find(printed(FILMS[0]))
