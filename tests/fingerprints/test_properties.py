"""What must hold of any song in any catalogue: through the public door, on songs made from seeds."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import audio
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint, Match
from tests import synth
from tests.sample_home import part
from tests.synth import Samples

SONGS = (61, 62, 65, 66, 69, 72, 75, 76)  # without long chords: of those little can be said among so few
SONG_S, QUERY_S = 24.0, 10.0
SURE = -4.0  # log10 of the false-positive probability
CALIBRATION = 0.2  # of it: so much may depend on which references there are to compare with ...
ORDER = 0.01  # ... and so much on how they are registered: where candidates are cut off
EXAMPLES = settings(deadline=None, max_examples=3, derandomize=True)


@cache
def song(seed: int) -> Samples:
    return synth.music(SONG_S, seed)


@cache
def prints(seed: int) -> AudioPrint:
    return audio.reference_print(song(seed))


@cache
def before() -> Samples:
    """Return what precedes a song: speech and other music, which no catalogue has."""
    return synth.mix(synth.speech_like(8, 70), synth.music(8, 71), 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


def catalogue(folder: Path, *saves: tuple[int, ...]) -> Catalogue:
    """A catalogue of these songs, registered in this order, with a save after each group; made once a module."""
    opened = Catalogue.open(folder / "_".join("-".join(map(str, group)) for group in saves))
    for group in saves if not opened.generation else ():
        for seed in group:
            opened.add(str(seed), prints(seed), None)
        opened.save()
    return opened


def sure(opened: Catalogue, sound: Samples) -> list[Match]:
    return [m for m in opened.find(audio.query_print(sound), None) if m.log10_false_positive <= SURE]


def excerpt(seed: int, at_s: float) -> Samples:
    return part(song(seed), at_s, at_s + QUERY_S)


def under_speech(seed: int, at_s: float) -> Samples:
    return synth.mix(synth.speech_like(QUERY_S, 72), excerpt(seed, at_s), -6)


def alike(one: Match, other: Match, query_later_s: float = 0.0, reference_later_s: float = 0.0) -> bool:
    """Whether `other` is `one`, only so much later in the query and in the reference."""
    query, reference = one.query.shifted(query_later_s), one.reference.shifted(reference_later_s)
    ends = (query.start_s, query.end_s, reference.start_s, reference.end_s)
    found = (other.query.start_s, other.query.end_s, other.reference.start_s, other.reference.end_s)
    offsets = [(ends[2] + ends[3] - ends[0] - ends[1]) / 2, (found[2] + found[3] - found[0] - found[1]) / 2]
    return (
        (one.reference_id, one.pitch_semitones) == (other.reference_id, other.pitch_semitones)
        and abs(one.speed - other.speed) <= 0.003
        and abs(offsets[0] - offsets[1]) <= 0.06  # three frames
        and bool(np.allclose(ends, found, atol=0.8))  # ends within 0.5 s of the query's own are moved there
    )


@given(
    seed=st.sampled_from(SONGS[:4]),
    at_s=st.floats(0, SONG_S - QUERY_S - 1),
    query_later_s=st.floats(0, 7),
    reference_later_s=st.floats(0, 1),
)
@EXAMPLES
def test_a_shift_of_the_query_shifts_the_match_by_as_much(
    folder: Path, seed: int, at_s: float, query_later_s: float, reference_later_s: float
) -> None:
    """By any number of samples, of which few are whole frames."""
    opened = catalogue(folder, SONGS[:4])
    (match,) = sure(opened, excerpt(seed, at_s))
    assert match.reference_id == str(seed)
    (later,) = sure(opened, np.concatenate([part(before(), 0, query_later_s), excerpt(seed, at_s)]))
    assert alike(match, later, query_later_s=query_later_s)
    (further,) = sure(opened, excerpt(seed, at_s + reference_later_s))
    assert alike(match, further, reference_later_s=reference_later_s)


def assert_same(queries: dict[int, Samples], one: Catalogue, other: Catalogue, share: float) -> None:
    """Each query has one match in both catalogues, which are alike; in the other it is less sure by a share at most."""
    for seed, query in queries.items():
        (match,), (again,) = sure(one, query), sure(other, query)
        assert match.reference_id == str(seed)
        assert alike(match, again)
        assert again.log10_false_positive <= (1 - share) * match.log10_false_positive


@given(st.lists(st.sampled_from(SONGS[4:]), min_size=1, max_size=4, unique=True))
@EXAMPLES
def test_adding_a_reference_does_not_change_the_others_matches(folder: Path, added: list[int]) -> None:
    few, more = catalogue(folder, SONGS[:4]), catalogue(folder, SONGS[:4], tuple(added))
    assert_same({seed: under_speech(seed, 6.0) for seed in SONGS[:4]}, few, more, CALIBRATION)
    assert sure(few, before()) == sure(more, before()) == []


@given(st.permutations(SONGS[:4]), st.integers(0, 4))
@EXAMPLES
def test_the_order_of_registration_is_irrelevant(folder: Path, order: list[int], first: int) -> None:
    """And so is what is saved together."""
    groups = [group for group in (tuple(order[:first]), tuple(order[first:])) if group]
    one, other = catalogue(folder, SONGS[:4]), catalogue(folder, *groups)
    assert_same({seed: under_speech(seed, 6.0) for seed in SONGS[:4]}, one, other, ORDER)
