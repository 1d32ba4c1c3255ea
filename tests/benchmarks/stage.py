"""What benchmarks are tested with: made music where the corpus would be."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import sounds
from benchmarks.rows import Stage
from sordino.monitor.corpus import default_cache
from tests import synth


class Babble(sounds.Speech):
    """What sounds like speech, without the corpus."""

    def __init__(self) -> None:
        self._sound = synth.speech_like(12.0, 1)

    def take(self, n: int, rng: np.random.Generator) -> sounds.Sound:
        return sounds.levelled(np.resize(self._sound, n))


def made_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 34.0) -> Stage:
    """Return a stage with two registered tracks and a strange one, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = default_cache() / "package" / "music"
    folder.mkdir(parents=True)
    *known, strange = (synth.wav(folder / f"{k}.wav", synth.music(seconds, k)) for k in range(3))
    return Stage(known, [strange], Babble())
