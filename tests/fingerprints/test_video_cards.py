"""Test cards and slates are nobody's: a reference does not have them, and films that share one are not each other."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import index_video, video
from sordino.fingerprints.align_video import find
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import VideoPrint
from sordino.fingerprints.video import Describer
from sordino.pipelines.analyse import analyse, reference
from tests import synth

Pictures = NDArray[np.uint8]
HEIGHT, WIDTH = 180, 320
STANDS = 4  # frames, two a second: the fourth is seen 1.5 s after the first


def bars() -> Pictures:
    return synth.colour_bars(WIDTH, HEIGHT)


def slate() -> Pictures:
    return synth.slate(WIDTH, HEIGHT)


def emblem_on_black() -> Pictures:
    card = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(card, "TV 6", (240, 40), cv2.FONT_HERSHEY_DUPLEX, 0.8, 210, 2, cv2.LINE_AA)
    return card


def textured() -> Pictures:
    picture: Pictures = synth.pictures(1, 7)[0]
    return picture


CARDS: dict[str, Callable[[], Pictures]] = {"bars": bars, "slate": slate, "an emblem on black": emblem_on_black}


def standing(picture: Pictures, n: int) -> Pictures:
    return np.repeat(picture[None], n, axis=0)


def moving(n: int, seed: int = 1) -> Pictures:
    """Film, at two frames a second."""
    return synth.pictures(n / 2, seed)[:: synth.FPS // 2]


def drifting(card: Pictures, n: int) -> Pictures:
    """A drawing that moves, as in a cartoon: 8 pixels from frame to frame."""
    frames: Pictures = np.stack([np.roll(card, 8 * k, axis=1) for k in range(n)])
    return frames


def registered(frames: Pictures) -> VideoPrint:
    return video.reference_print(np.arange(len(frames)) / 2, frames, len(frames) / 2)


def of_each(p: VideoPrint) -> dict[float, int]:
    """How many landmarks the frame has that is shown from this time on."""
    return {float(time_s): int(n) for time_s, n in zip(p.times_s, np.diff(p.starts), strict=True)}


def everything(frames: Pictures) -> VideoPrint:
    """What is described of a reference before anything is left out: as of a query, but of its size."""
    describer = Describer(finer=False)
    for k, frame in enumerate(frames):
        describer.add(k / 2, frame)
    return describer.query(len(frames) / 2).landmarks


@pytest.mark.parametrize("n", [STANDS, 9, 21, 22, 24, 47], ids=lambda n: f"{n / 2} s")
@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_stands_has_no_landmarks_and_the_film_behind_it_has_its_own(name: str, n: int) -> None:
    film = moving(12)
    assert len(registered(standing(CARDS[name](), STANDS - 1)).words) > 0  # there is something to leave out
    p = registered(np.concatenate([standing(CARDS[name](), n), film]))
    assert not any(count for time_s, count in of_each(p).items() if time_s < n / 2)
    alone = registered(film)
    np.testing.assert_array_equal(p.words, alone.words)
    np.testing.assert_array_equal(p.places, alone.places)
    np.testing.assert_array_equal(p.starts[-len(alone.starts) :], alone.starts)
    np.testing.assert_array_equal(p.times_s[-len(alone.times_s) :], alone.times_s + n / 2)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_between_two_films_is_left_out_and_they_stay(name: str) -> None:
    before, after = moving(8, 3), moving(8, 4)
    p = registered(np.concatenate([before, standing(CARDS[name](), 25), after]))
    np.testing.assert_array_equal(p.words, np.concatenate([registered(before).words, registered(after).words]))


@pytest.mark.parametrize(
    "frames",
    [
        standing(bars(), STANDS - 1),
        standing(slate(), STANDS - 1),
        drifting(bars(), 12),
        drifting(slate(), 12),
        standing(textured(), 47),
    ],
    ids=["bars for a moment", "a slate for a moment", "bars that move", "text that moves", "a textured picture"],
)
def test_what_moves_and_what_is_a_picture_keeps_its_landmarks(frames: Pictures) -> None:
    p = registered(np.concatenate([frames, moving(6)]))
    whole = everything(np.concatenate([frames, moving(6)]))
    assert min(of_each(whole).values()) > 0
    assert of_each(p) == of_each(whole)


KINDS: dict[str, Callable[[int], Pictures]] = {
    "bars": lambda n: standing(bars(), n),
    "slate": lambda n: standing(slate(), n),
    "textured": lambda n: standing(textured(), n),
    "film": moving,
    "cartoon": lambda n: drifting(slate()[:, ::-1], n),
}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 26)), min_size=1, max_size=5).filter(
        lambda shots: all(one[0] != other[0] for one, other in pairwise(shots))
    )
)
def test_only_cards_that_stand_are_left_out_whatever_comes_before_and_after(shots: list[tuple[str, int]]) -> None:
    frames = np.concatenate([KINDS[kind](n) for kind, n in shots])
    left_out = np.concatenate([np.full(n, kind in ("bars", "slate") and n >= STANDS) for kind, n in shots])
    whole = everything(frames)
    wanted = {time_s: 0 if left_out[round(2 * time_s)] else n for time_s, n in of_each(whole).items()}
    assert of_each(registered(frames)) == wanted


@pytest.mark.parametrize("name", CARDS)
def test_a_query_has_its_cards(name: str) -> None:
    frames = standing(CARDS[name](), 30)
    asked = video.query_print(np.arange(30) / 2, frames, 15.0)
    assert list(of_each(asked.landmarks)) == [0.0, 10.0]
    assert min(of_each(asked.landmarks).values()) > 0
    assert len(asked.unsure) == len(asked.landmarks.words)


@pytest.mark.parametrize("name", ["bars", "slate"])
def test_films_that_begin_with_the_same_card_are_not_each_other(name: str) -> None:
    head = standing(CARDS[name](), 12)
    one = np.concatenate([head, moving(20, 11)])
    other = np.concatenate([head, moving(20, 12)])
    asked = video.query_print(np.arange(len(other)) / 2, other, len(other) / 2)
    assert find(asked, [index_video.build([everything(one)])])  # the card would be found, were it in the reference
    assert find(asked, [index_video.build([registered(one)])]) == []
    (itself,) = find(asked, [index_video.build([registered(other)])])
    assert itself.reference.start_s == pytest.approx(6, abs=0.5)


def test_of_encoded_films_too_the_card_is_nobodys(tmp_path: Path) -> None:
    """Encoding adds noise about edges, and a container other times."""
    catalogue = Catalogue.open(tmp_path / "catalogue")
    head = standing(bars(), 5 * synth.FPS)
    films = [np.concatenate([head, synth.pictures(7, 20 + k)]) for k in range(2)]
    one, other = (synth.clip(tmp_path / f"{k}.mp4", None, film) for k, film in enumerate(films))
    prints = reference(one, catalogue)
    counts = of_each(prints.video)
    assert not any(count for time_s, count in counts.items() if time_s < 4.9)
    assert min(count for time_s, count in counts.items() if time_s > 5.1) > 0
    catalogue.add("one", None, prints.video)
    catalogue.save()
    assert analyse(other, catalogue).matches == ()
    (itself,) = analyse(one, catalogue).matches
    assert itself.query.start_s == pytest.approx(5, abs=0.5)
