"""The speed benchmark still runs, and what it times does find what was planted; how fast is no business of a test."""

import re
from pathlib import Path

import pytest

from benchmarks import sounds, speed
from benchmarks.live import Scene
from sordino.monitor.home import opened
from sordino.monitor.settings import load
from tests import synth
from tests.benchmarks.stage import Babble

SIZE = speed.Size(
    live=2,
    queries=1,
    hours=(0.005, 0.01),
    home_hours=0.01,
    film_hours=0.0,
    pcm_s=20.0,
    repeats=1,
    memory=4,
    memory_files=2,
    memory_warm_up=1,
    heights=(360, 360),
)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    *known, strange = (synth.wav(tmp_path / f"{k}.wav", synth.music(24.0, k)) for k in range(3))
    film = synth.video(tmp_path / "film.mp4", 24.0, 1)
    return Scene(sounds.prints(known), [strange], Babble(), film)


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """Return the cells of a section's tables by the first cell of each row."""
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    return {first: rest for first, *rest in table}


def test_every_section_is_reported_and_the_planted_works_are_found(scene: Scene) -> None:
    text = "\n".join(speed.report(scene, [], SIZE, speed.SECTIONS))

    assert set(rows(text, "Fingerprinting sound")) >= {"reference", "query"}
    assert (text.count("| at once: 1 part"), text.count("| one by one: ")) == (len(SIZE.hours), 1)
    pipeline = rows(text, "The whole pipeline")
    assert pipeline["with works in them"][:3] == ["1", "1", "1"]
    assert pipeline["without"][:3] == ["1", "0", "0"]
    assert float(pipeline["decode"][1]) > 0, "the child's CPU time is not seen"
    assert "4" in rows(text, "A worker's memory")
    assert re.search(r"\*\*[+-]\d+\.\d\d KiB a segment\*\*", text)


def test_bare_decoding_picks_the_same_frames(scene: Scene, tmp_path: Path) -> None:
    with opened(load(home=tmp_path / "home")) as home:
        command = speed.bare_command(scene.film, home)
        wanted = home.catalogue.video_params.frames_per_s

    assert command[command.index("-threads") + 1] == str(home.segment_limits.threads)
    assert ",select=" in command[command.index("-vf") + 1]
    assert f"{1 / wanted - 1e-3:.6f}" in command[command.index("-vf") + 1]


@pytest.mark.parametrize("text", ["speed", "audio,", "Audio"])
def test_a_section_that_there_is_not_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["--only", text])
    assert "no section" in capsys.readouterr().err
