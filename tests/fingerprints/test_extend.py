"""Prints that grow piece by piece: as if printed at once, whatever the pieces, in whatever order, however often."""

from functools import cache, reduce
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import audio, checks, video
from sordino.fingerprints.extend import extended_audio, extended_video, rest_of_audio, rest_of_video
from sordino.fingerprints.model import AudioPrint, VideoPrint
from sordino.fingerprints.params import AudioParams, VideoParams
from tests import synth
from tests.synth import RATE

PARAMS = AudioParams()
SILENCE = AudioPrint(PARAMS, 0.0, np.empty(0, np.int32), np.empty(0, np.int16))
NO_PICTURES = video.reference_print(np.empty(0), [], 0.0)
WHOLE_S = 40.0


@cache
def music() -> synth.Samples:
    return synth.music(WHOLE_S, 21)


@cache
def pictures() -> synth.Frames:
    return synth.pictures(WHOLE_S, 5)


def sound_of(start_s: float, end_s: float) -> AudioPrint:
    return audio.reference_print(music()[round(start_s * RATE) : round(end_s * RATE)])


def pictures_of(start_s: float, end_s: float, every_s: float = 0.5) -> VideoPrint:
    times_s = np.arange(0.0, end_s - start_s - 1e-9, every_s)
    frames = [pictures()[round((start_s + t) * synth.FPS)] for t in times_s]
    return video.reference_print(times_s, frames, end_s - start_s)


def landmarks(p: AudioPrint) -> set[tuple[int, int]]:
    return set(zip(p.frames.tolist(), p.bands.tolist(), strict=True))


cuts = st.lists(st.sampled_from([4, 9, 13, 20, 27, 33]), min_size=1, unique=True).map(
    lambda inside: [0, *sorted(inside), int(WHOLE_S)]
)


@settings(max_examples=15, deadline=None)
@given(cuts, st.randoms(use_true_random=False))
def test_sound_that_comes_in_pieces_is_as_printed_at_once_away_from_the_joints(cut: list[int], random: Random) -> None:
    pieces = list(pairwise(cut))
    random.shuffle(pieces)  # one that comes late fills its own gap
    grown = reduce(lambda whole, piece: extended_audio(whole, sound_of(*piece), piece[0]), pieces, SILENCE)
    checks.audio_print(grown)
    assert grown.duration_s == WHOLE_S
    far = [f for f in range(int(WHOLE_S * 50)) if all(abs(f - 50 * at) > 25 for at in cut)]
    mine, at_once = ({m for m in landmarks(p) if m[0] in set(far)} for p in (grown, sound_of(0, WHOLE_S)))
    # What a landmark is measured by, the spread of its band, is the piece's and not the whole's.
    assert len(mine & at_once) > 0.6 * len(at_once)
    assert len(mine) == pytest.approx(len(at_once), rel=0.05)


@settings(max_examples=15, deadline=None)
@given(cuts, st.randoms(use_true_random=False))
def test_pictures_that_come_in_pieces_are_as_printed_at_once(cut: list[int], random: Random) -> None:
    pieces = list(pairwise(cut))
    random.shuffle(pieces)
    grown = reduce(lambda whole, piece: extended_video(whole, pictures_of(*piece), piece[0]), pieces, NO_PICTURES)
    checks.video_print(grown)
    at_once = pictures_of(0, WHOLE_S)
    assert grown.duration_s == WHOLE_S
    assert grown.height == at_once.height
    assert grown.times_s == pytest.approx(at_once.times_s)
    assert np.array_equal(grown.words, at_once.words)
    assert np.array_equal(grown.places, at_once.places)


@pytest.mark.parametrize("at_s", [10.0, 10.013, 19.99])
def test_laying_a_piece_again_changes_nothing(at_s: float) -> None:
    piece, seen = sound_of(10, 20), pictures_of(10, 20)
    once = extended_audio(sound_of(0, 20), piece, at_s)
    again = extended_audio(once, piece, at_s)
    assert np.array_equal(once.frames, again.frames)
    assert np.array_equal(once.bands, again.bands)
    shown = extended_video(pictures_of(0, 20), seen, at_s)
    again_shown = extended_video(shown, seen, at_s)
    assert np.array_equal(shown.times_s, again_shown.times_s)
    assert np.array_equal(shown.until_s, again_shown.until_s)
    assert np.array_equal(shown.words, again_shown.words)


def test_what_an_encoder_padded_gives_way_to_what_comes_next() -> None:
    padded = sound_of(0, 10.5)
    grown = extended_audio(padded, sound_of(10, 20), 10.0)
    after = landmarks(grown) & {(f, b) for f, b in landmarks(padded) if f >= 500}
    assert after <= {(f + 500, b) for f, b in landmarks(sound_of(10, 20))}


def test_a_track_that_a_piece_lacks_does_not_grow() -> None:
    assert extended_audio(sound_of(0, 4), SILENCE, 4.0).duration_s == 4
    assert extended_video(NO_PICTURES, NO_PICTURES, 4.0).duration_s == 0


def test_a_gap_stays_a_gap() -> None:
    grown = extended_audio(sound_of(0, 10), sound_of(20, 30), 20.0)
    assert not ((grown.frames > 500) & (grown.frames < 1000)).any()
    shown = extended_video(pictures_of(0, 10), pictures_of(20, 30), 20.0)
    assert not ((shown.until_s > 10) & (shown.times_s < 20)).any()


@given(st.data())
def test_any_prints_make_one_that_passes_the_checks(data: st.DataObject) -> None:
    whole, piece = data.draw(prints()), data.draw(prints())
    at_s = data.draw(st.floats(0, 30))
    checks.audio_print(extended_audio(whole[0], piece[0], at_s))
    checks.video_print(extended_video(whole[1], piece[1], at_s))


@given(st.data(), st.integers(0, 25))
def test_the_rest_of_a_print_is_what_comes_later(data: st.DataObject, from_s: int) -> None:
    sound, seen = data.draw(prints())
    rest, shown = rest_of_audio(sound, from_s), rest_of_video(seen, from_s)
    checks.audio_print(rest)
    checks.video_print(shown)
    assert {(f + 50 * from_s, b) for f, b in landmarks(rest)} == {m for m in landmarks(sound) if m[0] >= 50 * from_s}
    assert rest.duration_s == max(0.0, sound.duration_s - from_s)
    assert (shown.times_s + from_s).tolist() == pytest.approx([t for t in seen.times_s if t >= from_s])


@st.composite
def prints(draw: st.DrawFn) -> tuple[AudioPrint, VideoPrint]:
    """Prints of up to 20 s with as many landmarks as are allowed, wherever in their seconds."""
    lasts_s = draw(st.floats(0, 20))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    early = draw(st.booleans())
    seconds = np.repeat(np.arange(int(lasts_s)), PARAMS.reference_rate) * 50
    frames = np.sort(seconds + rng.integers(0, 10 if early else 50, len(seconds))).astype(np.int32)
    sound = AudioPrint(PARAMS, lasts_s, frames, rng.integers(1, 200, len(frames)).astype(np.int16))
    times_s = np.sort(rng.uniform(0, lasts_s, int(lasts_s)))
    until_s = np.append(times_s[1:], lasts_s)[: len(times_s)]
    until_s = np.minimum(until_s, times_s + 9)
    words = rng.integers(0, 2**63, 3 * len(times_s), np.uint64)
    places = rng.uniform(0.1, 0.4, (len(words), 3)).astype(np.float32)
    starts = np.arange(0, len(words) + 1, 3)
    return sound, VideoPrint(VideoParams(), lasts_s, 0.5, times_s, until_s, starts, places, words)


def test_prints_of_other_parameters_and_times_before_0_are_refused() -> None:
    other = AudioPrint(AudioParams(query_rate=60), 0.0, SILENCE.frames, SILENCE.bands)
    with pytest.raises(ValueError, match="different parameters"):
        extended_audio(SILENCE, other, 0.0)
    for at_s in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="0 or later"):
            extended_audio(SILENCE, sound_of(0, 2), at_s)
        with pytest.raises(ValueError, match="0 or later"):
            extended_video(NO_PICTURES, pictures_of(0, 2), at_s)
