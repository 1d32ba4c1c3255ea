"""What the audio benchmark asks is what it says it is: ratios, levels, places, and the same sounds each time."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus, noises, peers, transforms
from benchmarks.rows import SPAN_S, Stage, changed, in_turn, inside, negatives, positives, song
from benchmarks.sounds import LEVEL, QUERY_S, RATE, Plant, Sound, decoded, pcm, peaked, rms, under
from tests import synth
from tests.benchmarks.stage import made_stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return made_stage(tmp_path, monkeypatch)


def loudest_hz(sound: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * RATE / len(sound)


def sound_of(plant: Plant) -> Sound:
    return decoded(plant.track, plant.reference_s, plant.query.duration_s * plant.speed)


@pytest.mark.parametrize("percent", [-20.0, -10.0, 3.0, 10.0])
def test_pitch_tempo_and_speed_change_by_what_they_say(percent: float) -> None:
    ratio = 1 + percent / 100
    tone = np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE).astype(np.float32)
    beeps = synth.beeps(10.0, [1.0, 8.0])

    for kind, length, pitch in (("pitch", 1.0, ratio), ("tempo", 1 / ratio, 1.0), ("speed", 1 / ratio, ratio)):
        change = changed(kind, percent)  # type: ignore[arg-type]
        told_hz = loudest_hz(transforms.filtered(tone, change.filters))
        assert told_hz == pytest.approx(440 * pitch, rel=1e-2), f"{kind}: a bare tone wavers a little, music does not"
        heard = np.flatnonzero(np.abs(transforms.filtered(beeps, change.filters)) > 0.3) / RATE
        assert heard[-1] - heard[0] == pytest.approx(7.1 * length, abs=0.06), kind
        assert heard[0] == pytest.approx(length, abs=0.1), f"{kind}: the filter comes late"


def test_a_change_knows_its_semitones_and_no_change_is_none() -> None:
    assert changed("speed", 5.9463).semitones == pytest.approx(1.0, abs=1e-3)
    assert changed("tempo", 20.0).semitones == 0
    assert changed("pitch", 0.0).filters == ""


def test_a_changed_excerpt_is_as_long_as_asked_and_its_truth_fits(stage: Stage) -> None:
    for k in (0, 1):
        query = song(stage, np.random.default_rng(k), k, kind="speed", percent=12.0)
        (plant,) = query.plants
        assert len(query.sound) == QUERY_S * RATE
        assert plant.speed == pytest.approx(1.12 if k else 0.88)
        # played at the speed that is told, the excerpt that is told is the query
        slowed = transforms.filtered(sound_of(plant), f"asetrate={round(RATE * plant.speed)},aresample={RATE}")
        n = min(len(slowed), len(query.sound))
        spectra = [np.abs(np.fft.rfft(s[i : i + RATE])) for s in (slowed[:n], query.sound[:n]) for i in (0, n - RATE)]
        assert np.corrcoef(spectra[0], spectra[2])[0, 1] > 0.9
        assert np.corrcoef(spectra[1], spectra[3])[0, 1] > 0.9


def test_music_lies_as_far_under_speech_as_is_said(stage: Stage) -> None:
    voice = stage.voice.take(10 * RATE, np.random.default_rng(0))
    music = under(np.zeros_like(voice), voice, -12.0)
    assert 20 * np.log10(rms(music) / rms(voice)) == pytest.approx(-12.0, abs=0.01)
    quiet = song(stage, np.random.default_rng(0), 0, gain_db=-30.0)
    loud = song(stage, np.random.default_rng(0), 0)
    assert 20 * np.log10(rms(quiet.sound) / rms(loud.sound)) == pytest.approx(-30.0, abs=0.01)


def test_a_song_inside_speech_is_where_the_truth_says(stage: Stage) -> None:
    query = inside(stage, np.random.default_rng(3), 0, db=40.0)
    (plant,) = query.plants
    assert SPAN_S[0] <= plant.query.duration_s <= SPAN_S[1]
    loud = np.convolve(np.abs(query.sound), np.ones(RATE // 4) / (RATE // 4), "same") > 0.02
    sounding = np.flatnonzero(loud) / RATE
    assert sounding[0] == pytest.approx(plant.query.start_s, abs=0.6)
    assert sounding[-1] == pytest.approx(plant.query.end_s, abs=0.6)


@pytest.mark.parametrize("fade_s", [0.0, 8.0])
def test_a_song_fades_into_another(stage: Stage, fade_s: float) -> None:
    query = in_turn(stage, np.random.default_rng(0), 0, fade_s=fade_s)
    first, second = query.plants
    assert first.track != second.track
    assert first.query.overlap_s(second.query) == pytest.approx(fade_s)
    alone = round(6 * RATE)
    for heard, plant, at in ((query.sound[:alone], first, 0.0), (query.sound[-alone:], second, 14.0)):
        wanted = decoded(plant.track, plant.reference_at(at), 6.0)
        assert np.corrcoef(heard, wanted)[0, 1] > 0.99


def test_a_query_is_the_same_whatever_else_is_asked(stage: Stage) -> None:
    rows = {row.name: row for row in positives()}
    row = rows["music -6 dB under speech"]
    later = [row.query(stage, k) for k in (0, 1, 2)][2]
    assert np.array_equal(later.sound, row.query(stage, 2).sound)
    assert not np.array_equal(later.sound, rows["music -12 dB under speech"].query(stage, 2).sound)


def test_rows_have_their_own_names_and_what_is_registered_is_never_in_a_negative(stage: Stage) -> None:
    rows = [*negatives(), *positives()]
    assert len({row.name for row in rows}) == len(rows)
    strange = song(stage, np.random.default_rng(0), 0, strange=True)
    assert (strange.plants, strange.stranger) == ((), stage.strange[0])


def test_files_are_decoded_once(stage: Stage) -> None:
    track = stage.known[0]
    first = np.array(pcm(track))
    pcm.cache_clear()
    track.unlink()
    assert np.array_equal(pcm(track), first)
    assert len(first) == 34 * RATE


def test_a_room_has_a_direct_path_and_dies_away() -> None:
    answer = transforms.room(np.random.default_rng(0))
    assert answer[0] == 1
    half = len(answer) // 2
    assert 20 * np.log10(rms(answer[-RATE // 50 :]) / rms(answer[half : half + RATE // 50])) < -20


def test_sounds_that_are_encoded_together_come_back_one_by_one() -> None:
    given = [peaked(synth.music(3.0, k)) for k in range(3)]
    for codec in (transforms.AAC_96, transforms.AAC_64, transforms.MP3_64, transforms.OPUS_24):
        back = transforms.coded(given, codec)
        for one, other in zip(given, back, strict=True):
            assert np.corrcoef(one[: len(other)], other)[0, 1] > 0.9, codec


@pytest.mark.parametrize("make", [noises.hiss, noises.tones, noises.silence])
def test_noises_are_as_long_and_as_loud_as_asked(make: noises.Noise) -> None:
    sound = make(RATE, np.random.default_rng(0))
    assert len(sound) == RATE
    assert rms(sound) == pytest.approx(0.0 if make is noises.silence else LEVEL, rel=1e-3)


def test_a_chromaprint_finds_itself_and_silence_finds_nothing(stage: Stage) -> None:
    prints = peers.Prints.of(stage.known)
    excerpt = pcm(stage.known[1])[7 * RATE : 17 * RATE]
    mine, other = prints.errors(excerpt)[[1, 0]]
    assert mine < 0.1 < 0.25 < other
    assert np.array_equal(prints.errors(np.zeros(10 * RATE, np.int16)), [peers.NOTHING, peers.NOTHING])
    assert np.array_equal(prints.errors(excerpt[:RATE]), [peers.NOTHING, peers.NOTHING]), "too short"


def test_the_splits_share_no_package_and_no_recording() -> None:
    for packages in (corpus.MUSIC, corpus.SPEECH):
        names = [package.name for split in corpus.SPLITS for package in packages[split]]
        assert len(set(names)) == len(names)
    of = {package.name: split for split in corpus.SPLITS for package in corpus.MUSIC[split]}
    for name, group in corpus.duplicates().items():
        assert of[name.split("/")[0]] == of[group.split("/")[0]]
