"""The same song in whatever a file may hold it: rates, sample formats, channels, levels, and numbers that are none."""

import struct
from pathlib import Path

import numpy as np
import pytest

from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match
from sordino.pipelines import voice
from sordino.pipelines.analyse import Report, analyse, reference
from tests import synth
from tests.sample_home import Sources, part
from tests.synth import RATE, Samples

START_S, LENGTH_S = 10, 10  # of the song, in every query


@pytest.fixture(scope="module")
def catalogue(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return registered(tmp_path_factory.mktemp("catalogue"), sources.folder / "song.wav")


@pytest.fixture(scope="module")
def song(sources: Sources) -> Samples:
    """Mono: the part that the queries have."""
    return part(sources.song, START_S, START_S + LENGTH_S)


def registered(folder: Path, *files: Path) -> Catalogue:
    opened = Catalogue.open(folder)
    for file in files:
        prints = reference(file, opened)
        opened.add(file.stem, prints.audio, None)
    opened.save()
    return opened


def panned(sound: Samples, *gains: float) -> Samples:
    return np.asarray(sound[:, None] * np.array(gains), np.float32)


def is_there(report: Report, name: str = "song") -> bool:
    """Whether the song, and nothing else, is where it is, to within half a second."""
    (match,) = report.matches
    return match.reference_id == name and stands(match, (0, LENGTH_S), START_S)


def stands(match: Match, query: tuple[float, float], start_s: float) -> bool:
    ends = (match.query.start_s, match.query.end_s, match.reference.start_s, match.reference.end_s)
    return ends == pytest.approx((*query, start_s, start_s + query[1] - query[0]), abs=0.5)


FORMATS = [
    ("a.wav", "mono", 8000, "pcm_u8"),
    ("a.wav", "stereo", 8000, "pcm_alaw"),
    ("a.wav", "stereo", 11025, "pcm_s16le"),
    ("a.wav", "mono", 12345, "pcm_s16le"),
    ("a.flac", "stereo", 22050, "flac"),
    ("a.mkv", "stereo", 32000, "pcm_f32le"),
    ("a.wav", "3.0", 44100, "pcm_s24le"),
    ("a.wav", "2.1", 44100, "pcm_s32le"),
    ("a.mkv", "quad", 48000, "pcm_f64le"),
    ("a.aiff", "stereo", 48000, "pcm_s16be"),
    ("a.mp4", "5.0", 48000, "aac"),
    ("a.ts", "5.1", 48000, "ac3"),
    ("a.mp4", "7.1", 48000, "aac"),
    ("a.webm", "5.1", 48000, "libopus"),
    ("a.flac", "6.1", 96000, "flac"),
    ("a.wav", "7.1(wide)", 96000, "pcm_s16le"),
    ("a.wav", "7.1", 192000, "pcm_u8"),
]
COUNTS = {"mono": 1, "stereo": 2, "2.1": 3, "3.0": 3, "quad": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8, "7.1(wide)": 8}


@pytest.mark.parametrize(("name", "layout", "rate", "codec"), FORMATS)
def test_rates_sample_formats_and_layouts(
    catalogue: Catalogue, song: Samples, tmp_path: Path, name: str, layout: str, rate: int, codec: str
) -> None:
    everywhere = panned(song, *[0.9] * COUNTS[layout])
    path = synth.channels(tmp_path / name, everywhere, "-ar", str(rate), "-c:a", codec, layout=layout)
    report = analyse(path, catalogue)
    assert is_there(report)
    assert report.audio_s == pytest.approx(LENGTH_S, abs=0.1)
    assert report.warnings == ()


CHANNELS = [
    pytest.param("stereo", (1, -1), id="one is the other's inverse"),
    pytest.param("stereo", (1, -0.8), id="almost"),
    pytest.param("stereo", (0, 1), id="right only"),
    pytest.param("5.1", (0, 0, 1, 0, 0, 0), id="centre only"),
    pytest.param("5.1", (0, 0, 0, 1, 0, 0), id="LFE only"),
    pytest.param("5.1", (0, 0, 0, 0, 1, -1), id="surrounds, opposite"),
    pytest.param("7.1", (0, 0, 0, 0, 1, 0, 0, 0), id="back left only"),
    pytest.param("7.1", (0, 0, 0, 0, 0, 0, 1, -1), id="sides, opposite"),
]


@pytest.mark.parametrize(("layout", "gains"), CHANNELS)
def test_channels_that_the_plain_sum_loses(
    catalogue: Catalogue, song: Samples, tmp_path: Path, layout: str, gains: tuple[float, ...]
) -> None:
    assert is_there(analyse(synth.channels(tmp_path / "a.wav", panned(song, *gains), layout=layout), catalogue))


@pytest.mark.parametrize("gains", [(1, -1), (1, 0), (1, 1)], ids=["opposite", "left", "in phase"])
def test_music_beside_a_voice_in_the_middle(
    catalogue: Catalogue, song: Samples, tmp_path: Path, gains: tuple[float, float]
) -> None:
    voice = panned(synth.speech_like(LENGTH_S, 3), 0.5, 0.5)
    path = synth.channels(tmp_path / "a.m4a", voice + np.float32(0.5) * panned(song, *gains))
    (match,) = analyse(path, catalogue).matches
    assert match.reference.start_s - match.query.start_s == pytest.approx(START_S, abs=0.1)
    assert match.query.duration_s > LENGTH_S / 2


def test_voice_is_looked_for_where_a_work_is_found(catalogue: Catalogue, song: Samples, tmp_path: Path) -> None:
    speech = synth.speech_like(LENGTH_S, 3) * (np.arange(LENGTH_S * RATE) < 4 * RATE)
    (span,) = analyse(synth.wav(tmp_path / "a.wav", synth.mix(speech, song, -10)), catalogue).voice or ()
    assert (span.start_s, span.end_s) == pytest.approx((0, 4), abs=0.8)
    alone = analyse(synth.wav(tmp_path / "b.wav", song), catalogue).voice
    assert alone is not None
    assert sum(span.duration_s for span in alone) < 1
    assert analyse(synth.wav(tmp_path / "c.wav", speech), catalogue).voice is None


def test_without_the_detector_voice_is_not_known(
    catalogue: Catalogue, song: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "SileroVAD", None)
    voice._model.cache_clear()
    report = analyse(synth.wav(tmp_path / "a.wav", song), catalogue)
    assert is_there(report)
    assert report.voice is None


# Many of the instruments are in opposite phase: the mono copy lacks them.
WIDE = {
    "itself": lambda wide: wide,
    "the other way round": lambda wide: wide[:, ::-1],
    "its right channel inverted": lambda wide: wide * [1, -1],
    "mono": lambda wide: wide.mean(axis=1, keepdims=True) * [1, 1],
    "left only": lambda wide: wide[:, :1] * [1, 1],
    "vocals removed": lambda wide: (wide[:, :1] - wide[:, 1:]) * [0.5, 0.5],
}


@pytest.fixture(scope="module")
def wide(sources: Sources) -> Samples:
    """Stereo: the song in the middle and another, 3 dB below it, in opposite phase."""
    return panned(sources.song, 0.5, 0.5) + panned(synth.music(40, 26), 0.35, -0.35)


@pytest.fixture(scope="module")
def wide_catalogue(wide: Samples, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("wide")
    return registered(folder / "catalogue", synth.channels(folder / "wide.wav", wide))


@pytest.mark.parametrize("copy", WIDE)
def test_a_wide_reference_is_found_in_its_copies(
    wide_catalogue: Catalogue, wide: Samples, tmp_path: Path, copy: str
) -> None:
    sound = np.asarray(WIDE[copy](part(wide, START_S, START_S + LENGTH_S)), np.float32)
    assert is_there(analyse(synth.channels(tmp_path / "a.m4a", sound), wide_catalogue), "wide")


def test_a_mono_reference_is_found_in_a_wide_copy(catalogue: Catalogue, wide: Samples, tmp_path: Path) -> None:
    path = synth.channels(tmp_path / "a.m4a", part(wide, START_S, START_S + LENGTH_S))
    assert is_there(analyse(path, catalogue))


def test_a_reference_in_opposite_phase_is_found_in_mono(song: Samples, sources: Sources, tmp_path: Path) -> None:
    opposite = synth.channels(tmp_path / "opposite.wav", panned(sources.song, 1, -1))
    opened = registered(tmp_path / "catalogue", opposite)
    assert is_there(analyse(synth.wav(tmp_path / "mono.wav", song), opened), "opposite")
    assert is_there(analyse(synth.channels(tmp_path / "a.m4a", panned(song, -1, 1)), opened), "opposite")


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
@pytest.mark.parametrize("gain_db", [-40, -20, 20, 40])
def test_levels(catalogue: Catalogue, song: Samples, tmp_path: Path, codec: str, gain_db: float) -> None:
    """At +20 dB and above all is clipped, in the file or at our door."""
    gain = 10 ** (gain_db / 20)
    loud = panned(song, gain, gain)
    assert is_there(analyse(synth.channels(tmp_path / "a.wav", loud, "-c:a", codec), catalogue))


@pytest.mark.parametrize("offsets", [(0.5, 0.5), (0.5, -0.5), (-0.6, 0)], ids=str)
def test_sound_beside_a_constant(
    catalogue: Catalogue, song: Samples, tmp_path: Path, offsets: tuple[float, float]
) -> None:
    beside = panned(song, 0.4, 0.4) + np.array(offsets, np.float32)
    assert is_there(analyse(synth.channels(tmp_path / "a.wav", beside), catalogue))


def broken(path: Path, sound: Samples, codec: str = "pcm_f32le") -> Path:
    """A file of floats that may be no numbers; ffmpeg writes them as they are if nothing is to be converted."""
    if codec == "pcm_f32le":
        return synth.channels(path, sound, "-c:a", codec)
    content = np.ascontiguousarray(sound, "<f8").tobytes()
    head = struct.pack("<HHIIHH", 3, 2, RATE, 16 * RATE, 16, 64)
    riff = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(content)) + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(riff)) + riff)
    return path


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38], ids=str)
@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_f64le"])
def test_numbers_that_are_none(catalogue: Catalogue, song: Samples, tmp_path: Path, codec: str, bad: float) -> None:
    sound = panned(song, 0.7, 0.7)
    sound[::RATE] = bad
    sound[3 * RATE : 3 * RATE + 4000] = bad
    assert is_there(analyse(broken(tmp_path / "a.wav", sound, codec), catalogue))


def test_a_channel_of_nothing_but_nan_does_not_hide_the_other(
    catalogue: Catalogue, song: Samples, tmp_path: Path
) -> None:
    sound = panned(song, 0.7, np.nan)
    assert is_there(analyse(broken(tmp_path / "a.wav", sound), catalogue))


def test_nothing_but_nan_is_silence(catalogue: Catalogue, song: Samples, tmp_path: Path) -> None:
    path = broken(tmp_path / "a.wav", panned(song, np.nan, np.nan))
    report = analyse(path, catalogue)
    assert (report.matches, report.audio_s) == ((), LENGTH_S)
    assert len(reference(path, catalogue).audio.frames) == 0


def test_mono_that_turns_into_opposite_stereo(catalogue: Catalogue, song: Samples, tmp_path: Path) -> None:
    """The first frames do not decide for the rest."""
    half = 5 * RATE
    first = synth.channels(tmp_path / "1.ts", panned(song[:half], 1), "-c:a", "mp2", layout="mono")
    late = ("-c:a", "mp2", "-output_ts_offset", "5")
    second = synth.channels(tmp_path / "2.ts", panned(song[half:], 1, -1), *late)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert is_there(analyse(path, catalogue))
