"""The picture benchmark still runs, on made videos: what it plants is found, and it says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import clips, distractors, unrelated, video, video_costs, video_table
from benchmarks.rendering import Video
from benchmarks.video import Bench, Stopwatch
from tests import synth


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = [
        synth.video(tmp_path / "film.mp4", 16.0, 1, width=640, height=360),
        synth.video(tmp_path / "cup.mp4", 5.0, 2),
    ]
    there = {path.name: Video.of(path) for path in made}
    monkeypatch.setattr(clips, "videos", lambda: there)
    monkeypatch.setattr(clips, "CLIPS", {"film.mp4": 40})
    clips.backdrops.cache_clear()
    catalogue = Stopwatch.open(tmp_path / "catalogue")
    assert isinstance(catalogue, Stopwatch)
    distractors.register(catalogue, 20 / 3600)
    with (tmp_path / "outcomes.jsonl").open("w") as out:
        yield Bench(catalogue, tmp_path, tmp_path / "sheets", out, peers=False)
    clips.backdrops.cache_clear()


def test_what_is_planted_is_found_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    turned = {f"film.mp4, turned {turn}, whole" for turn in ("left", "right")}
    assert bench.catalogue.reference_ids == {"film.mp4", *turned}
    text = list(video.positives(bench, 1, video_table.chosen("mirror, letterbox")))
    lines = {cells[0]: cells for line in text if line.startswith("| ") for cells in [line.strip("| ").split(" | ")]}
    assert (lines["mirror"][3], lines["letterbox"][3]) == ("1.000", "1.000")
    assert lines["all changes"][1] == "2"
    assert sorted(file.name for file in (tmp_path / "sheets").iterdir()) == ["letterbox.png", "mirror.png"]

    text = list(video.negatives(bench, 4))
    assert text[0].startswith("4 segments, 0 with a false match")


def test_segments_are_of_all_kinds_and_each_kind_is_many(bench: Bench) -> None:
    kinds = [segment.kind for segment in unrelated.segments()]
    assert set(kinds) == {
        "registered videos as they are",
        *(f"upside down, {how}" for how in ("whole", "cropped", "inset", "several changes", "encoded")),
        "unregistered, encoded",
    }


def test_costs_are_told_for_both_sizes(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_costs, "RATES", {90: "100k", 180: "200k"})  # smaller, to save time
    monkeypatch.setattr(video_costs, "TARGETS", {90: 30, 180: 20})
    film = clips.videos()["film.mp4"]
    text = "\n".join(video_costs.costs(film, bench.catalogue, tmp_path / "catalogue", tmp_path, n=1))
    assert text.startswith("The index has ")
    assert (text.count("| 90p"), text.count("| 180p")) == (2, 2)
