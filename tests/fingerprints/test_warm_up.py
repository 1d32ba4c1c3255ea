"""After `python -m sordino.fingerprints.warm_up` a worker compiles nothing, whatever it meets."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = """
    import importlib, json, pkgutil, sys
    from pathlib import Path

    import numpy as np
    from numba.core.dispatcher import Dispatcher

    import sordino.fingerprints
    from sordino.fingerprints import align_audio, audio, video
    from sordino.fingerprints.catalogue import Catalogue
    from sordino.fingerprints.model import Match, Span
    from tests import synth
    from tests.synth import RATE

    def pictures(seed, describe=video.reference_print):
        frames = synth.pictures(10, seed)[::5]
        frames.setflags(write=False)  # as decoded ones are
        return describe(np.arange(20) / 2, frames, 10.0)

    def sounds(matches):
        return {m.reference_id for m in matches if m.track == "audio"}

    songs = [synth.music(30, seed) for seed in (3, 6, 11)]
    opened = Catalogue.open(Path(sys.argv[1]))
    for k, song in enumerate(songs):  # the second save takes the first one's part in, the third one removes
        opened.add(str(k), audio.reference_print(song), pictures(k))
        if k == 2:
            opened.remove("1")
        opened.save()
    opened = Catalogue.open(Path(sys.argv[1]))
    speech = synth.speech_like(10, 1)
    plain = synth.mix(speech, songs[0][8 * RATE : 18 * RATE], -3)
    assert sounds(opened.find(audio.query_print(plain), pictures(0, video.query_print))) == {"0"}
    higher = synth.changed(songs[2][4 * RATE : 24 * RATE], pitch=1.1)
    assert sounds(opened.find(audio.query_print(higher), None)) == {"2"}
    playing = Match("0", "audio", Span(-10, 0), Span(8, 18), 1.0, 0.0, False, None, 20.0, -15.0)
    ending = synth.mix(speech, songs[0][18 * RATE : 28 * RATE], -9)
    assert sounds(opened.find(audio.query_print(ending), None, [playing])) == {"0"}
    skipping = np.concatenate([songs[0][5 * RATE : 10 * RATE], songs[0][13 * RATE : 18 * RATE]])
    opened.find(audio.query_print((32767 * skipping).astype(np.int16)), None)
    opened.find(audio.query_print(speech), pictures(9, video.query_print))

    modules = [importlib.import_module(f"sordino.fingerprints.{m.name}")
               for m in pkgutil.iter_modules(sordino.fingerprints.__path__)]
    found = [k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)]
    kernels = {f"{k.__module__.rpartition('.')[2]}.{k.__qualname__}": k for k in found}  # two modules have a _read

    def compiled():
        return sorted(name for name, kernel in kernels.items() if kernel.stats.cache_misses)

    told = {"compiled": compiled(), "kept": sorted(name for name, k in kernels.items() if k.stats.cache_hits)}
    align_audio._max_subarray(np.zeros(3))  # of another type than any that is used
    print(json.dumps(told | {"then": compiled()}))
    """


def run(cache: Path, *arguments: str | Path) -> str:
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.timeout(1800)  # every kernel is compiled, which takes minutes beside others
def test_after_the_warm_up_nothing_is_compiled(tmp_path: Path) -> None:
    run(tmp_path / "cache", "-m", "sordino.fingerprints.warm_up")
    told = json.loads(run(tmp_path / "cache", "-c", textwrap.dedent(WORK), tmp_path / "catalogue"))
    assert told["compiled"] == []
    assert set(told["kept"]) >= {
        "index._pairs",
        "propose_audio._propose",
        "propose_video._read",
        "verify_audio._verify",
        "corners._clearest",
        "align_audio._max_subarray",
        "audio._band_contrast",
        "verify_video._compare",
    }
    assert told["then"] == ["align_audio._max_subarray"]  # it would have been seen
