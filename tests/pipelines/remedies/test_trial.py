"""A trial says whether erasing would do: by how much it suppresses, and whether what is left is still recognised."""

from pathlib import Path

import numpy as np
import pytest

from sordino.fingerprints import audio
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Span
from sordino.pipelines.media import Limits, MediaError
from sordino.pipelines.remedies.erase import Song
from sordino.pipelines.remedies.trial import tried
from tests import synth
from tests.synth import RATE

FIRST_S = 8.0


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth.wav(tmp_path_factory.mktemp("trial") / "track.wav", synth.music(40, 1))


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    catalogue = Catalogue.open(tmp_path_factory.mktemp("trial") / "catalogue")
    for seed in (1, 2):
        pcm = np.asarray(synth.music(40, seed) * 32767, np.int16)
        catalogue.add(f"R{seed}", audio.reference_print(pcm, catalogue.audio_params), None)
    catalogue.save()
    return catalogue


def copy(folder: Path, *, db: float = -3.0, music: int = 1) -> Path:
    """Write speech over a song from 2 to 18 s."""
    song = np.zeros(20 * RATE, np.float32)
    first = round(FIRST_S * RATE)
    song[2 * RATE : 18 * RATE] = synth.music(40, music)[first : first + 16 * RATE]
    return synth.wav(folder / "copy.wav", synth.mix(synth.speech_like(20, 3), song, db))


def song(track: Path) -> Song:
    return Song(track, Span(2.1, 17.8), Span(FIRST_S + 0.1, FIRST_S + 15.8))


def test_what_is_erased_is_not_found_again(track: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    path = copy(tmp_path)
    (outcome,) = tried(path, {song(track): "R1"}, catalogue, Limits())
    assert outcome.ok, outcome
    assert outcome.suppression_db >= 10


def test_a_song_that_plays_twice_at_once_is_not_erased(track: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    """Only one of the two can be taken out, however well: the other one is recognised."""
    both = synth.mix(synth.music(40, 1)[20 * RATE :], synth.music(40, 1)[round(FIRST_S * RATE) :][: 20 * RATE], 0)
    path = synth.wav(tmp_path / "copy.wav", synth.mix(synth.speech_like(20, 3), both, 0))
    told = Song(track, Span(0, 20), Span(FIRST_S, FIRST_S + 20))
    (outcome,) = tried(path, {told: "R1"}, catalogue, Limits())
    assert (outcome.ok, outcome.why) == (False, "it is still recognised in what is left")


def test_another_song_than_the_one_that_is_heard(track: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    (outcome,) = tried(copy(tmp_path, music=2), {song(track): "R1"}, catalogue, Limits())
    assert not outcome.ok
    assert outcome.why


def test_media_without_sound_is_an_error(track: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    silent = synth.video(tmp_path / "silent.mp4", 2, 1)
    with pytest.raises(MediaError, match="none of the wanted tracks"):
        tried(silent, {song(track): "R1"}, catalogue, Limits())
