"""Clocks that jump, overlap, wrap or pause: spans are in the media's own time, and nothing that sounds is left out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match
from sordino.pipelines.analyse import analyse, reference
from tests import synth
from tests.sample_home import Sources, part
from tests.synth import RATE


@pytest.fixture(scope="module")
def catalogue(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    opened = Catalogue.open(tmp_path_factory.mktemp("catalogue"))
    for name in ("song.wav", "film.mp4"):
        prints = reference(sources.folder / name, opened)
        opened.add(name, prints.audio, prints.video)
    opened.save()
    return opened


def spans(path: Path, catalogue: Catalogue, track: str = "audio") -> list[tuple[float, float, float]]:
    """Of each match, in order of time: where it begins and ends in the file, and where it begins in the reference."""
    found: list[Match] = [m for m in analyse(path, catalogue).matches if m.track == track]
    return sorted((m.query.start_s, m.query.end_s, m.reference.start_s) for m in found)


def close(found: list[tuple[float, float, float]], expected: list[tuple[float, float, float]]) -> bool:
    return len(found) == len(expected) and bool(np.allclose(found, expected, atol=0.5))


RATES = {".flv": ("-ar", "44100")}  # FLV knows few


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.mkv", "a.flv"])
def test_a_song_goes_on_after_a_gap_in_the_sound(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, name: str
) -> None:
    sound = np.concatenate([part(sources.song, 10, 16), np.zeros(5 * RATE, np.float32), part(sources.song, 16, 25)])
    gap = ("-af", "aselect='not(between(t,6.05,10.95))'")  # nothing is encoded there: times jump
    path = synth.clip(tmp_path / name, sound, synth.pictures(20, 31), *gap, *RATES.get(Path(name).suffix, ()))
    assert close(spans(path, catalogue), [(0, 6, 10), (11, 20, 16)])


def test_sound_and_pictures_pause_together(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    sound = np.concatenate([part(sources.song, 10, 18), np.zeros(8 * RATE, np.float32), part(sources.song, 18, 26)])
    film = np.concatenate([sources.film[:80], np.zeros_like(sources.film[:80]), sources.film[80:160]])
    gap = ("-af", "aselect='not(between(t,8,15.95))'", "-vf", "select='not(between(t,8,15.95))'", "-fps_mode", "vfr")
    path = synth.clip(tmp_path / "a.mkv", sound, film, *gap)
    assert close(spans(path, catalogue), [(0, 8, 10), (16, 24, 18)])
    assert analyse(path, catalogue).duration_s == pytest.approx(24, abs=0.2)


@pytest.mark.parametrize("start_s", [95_435, 95_440], ids=["in mid-stream", "soon"])
def test_a_broadcast_clock_that_wraps(catalogue: Catalogue, sources: Sources, tmp_path: Path, start_s: int) -> None:
    """MPEG-TS counts to 2^33 in 90 kHz, 95,443.7 s, and begins again."""
    path = tmp_path / "wrap.ts"
    synth.clip(path, part(sources.song, 10, 22), sources.film[50:170], "-output_ts_offset", str(start_s))
    assert close(spans(path, catalogue), [(0, 12, 10)])
    assert close(spans(path, catalogue, "video"), [(0, 12, 5)])


def flv(first: bytes, second: bytes) -> bytes:
    return first + second[13:]  # without its file header


def plain(first: bytes, second: bytes) -> bytes:
    return first + second


JOINED = [
    pytest.param("a.flv", flv, 0, id="FLV, from 0 again"),
    pytest.param("a.mkv", plain, 0, id="Matroska, from 0 again"),
    pytest.param("a.ts", plain, 0, id="MPEG-TS, from 0 again"),
    pytest.param("a.ts", plain, 5, id="MPEG-TS, overlapping"),
    pytest.param("a.ts", plain, 3600, id="MPEG-TS, an hour ahead"),
]


@pytest.mark.parametrize(("name", "join", "offset_s"), JOINED)
def test_a_clock_that_jumps(
    catalogue: Catalogue,
    sources: Sources,
    tmp_path: Path,
    name: str,
    join: Callable[[bytes, bytes], bytes],
    offset_s: int,
) -> None:
    """What comes after the jump follows what came before, in sound and pictures."""
    rate = RATES.get(Path(name).suffix, ())
    first = synth.clip(tmp_path / f"1{name}", part(sources.song, 0, 8), sources.film[200:280], *rate)
    late = ("-output_ts_offset", str(offset_s))
    second = synth.clip(tmp_path / f"2{name}", part(sources.song, 20, 28), sources.film[40:120], *rate, *late)
    path = tmp_path / name
    path.write_bytes(join(first.read_bytes(), second.read_bytes()))
    assert close(spans(path, catalogue), [(0, 8, 0), (8, 16, 20)])
    assert close(spans(path, catalogue, "video"), [(0, 8, 20), (8, 16, 4)])
