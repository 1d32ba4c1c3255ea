import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.model import Match, Region, Span, Track
from sordino.monitor.timeline import Episode, extend
from sordino.pipelines.messages import Media, Segment

Found = tuple[Segment, list[Match]]


def segment(sequence: int, *, length_s: float = 10.0, stream_id: str = "live-1") -> Segment:
    return Segment(
        stream_id=stream_id,
        sequence=sequence,
        start_s=sequence * length_s,
        duration_s=length_s,
        media=Media(uri="file:///segments/x.ts"),
        live=True,
    )


def match(
    start_s: float,
    end_s: float,
    reference_s: float,
    *,
    reference_id: str = "r1",
    track: Track = "audio",
    speed: float = 1.0,
    mirrored: bool = False,
    region: Region | None = None,
    score: float = 10.0,
    log10: float = -8.0,
) -> Match:
    reference = Span(reference_s, reference_s + (end_s - start_s) * speed)
    return Match(reference_id, track, Span(start_s, end_s), reference, speed, 0.0, mirrored, region, score, log10)


def episodes_of(found: list[Found]) -> list[Episode]:
    episodes: list[Episode] = []
    for one, matches in found:
        episodes = extend(episodes, one, matches)
    return episodes


def playing(
    first_s: float, last_s: float, reference_s: float, *, speed: float = 1.0, jitter_s: float = 0.0
) -> list[Found]:
    """A reference that plays on the stream from `first_s` to `last_s`, found in each 10 s segment that it reaches."""
    dice = random.Random(f"{first_s} {last_s} {reference_s} {speed}")
    found = []
    for sequence in range(int(first_s // 10), int(-(-last_s // 10))):
        start_s, end_s = max(first_s, sequence * 10), min(last_s, sequence * 10 + 10)
        at_s = reference_s + (start_s - first_s) * speed + dice.uniform(-jitter_s, jitter_s)
        found.append((segment(sequence), [match(start_s - sequence * 10, end_s - sequence * 10, at_s, speed=speed)]))
    return found


def test_a_song_over_several_segments_is_one_episode_in_stream_time() -> None:
    [episode] = episodes_of(playing(12.5, 47.0, 100.0, speed=1.04))
    assert episode.query == Span(12.5, 47.0)
    assert episode.reference.start_s == pytest.approx(100.0)
    assert episode.reference.end_s == pytest.approx(100.0 + 34.5 * 1.04)
    assert (episode.speed, episode.last_sequence, episode.stream_id) == (1.04, 4, "live-1")


@pytest.mark.parametrize(
    ("second", "count"),
    [
        pytest.param(match(2.0, 9.0, 62.0), 1, id="goes on"),
        pytest.param(match(5.0, 9.0, 65.0), 1, id="a gap of 5 s is bridged"),
        pytest.param(match(5.1, 9.0, 65.1), 2, id="a longer gap is not"),
        pytest.param(match(2.0, 9.0, 62.9), 1, id="0.9 s off is still one alignment"),
        pytest.param(match(2.0, 9.0, 50.0), 2, id="starts again"),
        pytest.param(match(2.0, 9.0, 80.0), 2, id="jumps ahead"),
        pytest.param(match(2.0, 9.0, 62.0, reference_id="r2"), 2, id="another reference"),
        pytest.param(match(2.0, 9.0, 62.0, track="video"), 2, id="sound and picture are told apart"),
        pytest.param(match(2.0, 9.0, 62.0, mirrored=True), 2, id="mirrored or not are two copies"),
        pytest.param(match(2.0, 9.0, 62.0, speed=1.05), 1, id="the estimate of speed wavers"),
    ],
)
def test_what_continues_an_episode(second: Match, count: int) -> None:
    first = match(0.0, 10.0, 50.0)  # to 60.0 of the reference at 10.0 of the stream
    assert len(episodes_of([(segment(0), [first]), (segment(1), [second])])) == count


def test_a_loop_of_eight_seconds_gives_an_episode_a_round() -> None:
    rounds = [(segment(0, length_s=40), [match(8.0 * n, 8.0 * n + 8.0, 30.0) for n in range(5)])]
    assert [episode.query for episode in episodes_of(rounds)] == [Span(8.0 * n, 8.0 * n + 8.0) for n in range(5)]


def test_other_streams_stay_apart() -> None:
    found = [(segment(0), [match(0, 10, 0)]), (segment(1, stream_id="live-2"), [match(0, 10, 10)])]
    assert [episode.stream_id for episode in episodes_of(found)] == ["live-1", "live-2"]


def test_the_strongest_match_speaks_for_the_episode_and_regions_add_up() -> None:
    weak = match(0, 10, 0, track="video", region=Region(0.1, 0.1, 0.2, 0.2), score=5.0, log10=-3.0)
    strong = match(0, 10, 10, track="video", speed=1.01, region=Region(0.2, 0.2, 0.2, 0.3), score=9.0, log10=-9.0)
    [episode] = episodes_of([(segment(0), [weak]), (segment(1), [strong])])
    assert (episode.score, episode.log10_false_positive, episode.speed) == (9.0, -9.0, 1.01)
    assert episode.region == Region(0.1, 0.1, 0.3, 0.4)
    whole = match(0, 10, 20, track="video")
    [episode] = extend([episode], segment(2), [whole])
    assert episode.region is None


def test_a_late_segment_joins_the_two_episodes_that_it_lies_between() -> None:
    found = playing(0.0, 30.0, 0.0)
    assert len(episodes_of([found[0], found[2]])) == 2
    assert [episode.query for episode in episodes_of([found[0], found[2], found[1]])] == [Span(0.0, 30.0)]


def test_all_orders_of_two_playings_of_one_song_give_the_same_episodes() -> None:
    found = [*playing(3.0, 24.0, 40.0), *playing(26.0, 48.0, 0.0)]  # starts again after 2 s
    expected = episodes_of(found)
    assert [episode.query for episode in expected] == [Span(3.0, 24.0), Span(26.0, 48.0)]
    for order in permutations(found):
        assert episodes_of(list(order)) == expected


def test_ten_minutes_that_speed_up_by_three_per_cent_are_one_episode_in_any_order() -> None:
    found, reference_s = [], 0.0
    for sequence in range(60):
        speed = 1.0 + 0.03 * sequence / 60
        found.append((segment(sequence), [match(0, 10, reference_s, speed=speed)]))
        reference_s += 10 * speed
    [episode] = episodes_of(found)
    assert episode.query == Span(0, 600)
    assert episode.reference.end_s == pytest.approx(reference_s)
    random.Random(1).shuffle(found)
    assert episodes_of(found + found) == [episode]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Found], int]:
    """Up to four playings of two songs on one stream, each on an alignment of its own, and how many there are."""
    found: list[Found] = []
    clock_s, count = 0.0, draw(st.integers(1, 4))
    for number in range(count):
        first_s = clock_s + draw(st.integers(0, 25))
        clock_s = first_s + draw(st.integers(1, 60))
        # A new playing is at least 5 s off the line of every other one: each begins 200 s earlier in the reference.
        speed = draw(st.sampled_from([0.97, 1.0, 1.04]))
        found += playing(first_s, clock_s, 200.0 * (count - number), speed=speed, jitter_s=0.2)
    return found, count


@given(streams(), st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(stream: tuple[list[Found], int], dice: random.Random) -> None:
    found, count = stream
    expected = episodes_of(found)
    assert len(expected) == count
    shuffled = found + dice.sample(found, k=dice.randint(0, len(found)))
    dice.shuffle(shuffled)
    assert episodes_of(shuffled) == expected


@given(streams())
def test_a_segment_again_changes_nothing(stream: tuple[list[Found], int]) -> None:
    episodes = episodes_of(stream[0])
    for one, matches in stream[0]:
        assert extend(episodes, one, matches) == episodes
