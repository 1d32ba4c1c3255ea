"""Rows are counted as they should be: against a catalogue that says what it is told to say."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import peers, reliability, table
from benchmarks.bench import Bench
from benchmarks.judge import NEVER, Judge, Outcome, Segment
from benchmarks.rows import Row, Stage, song
from benchmarks.sounds import Plant, Query
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioQuery, Match, Span, VideoPrint
from tests.benchmarks.stage import made_stage

TEN = Span(0.0, 10.0)
NO_SOUND = np.zeros(0, np.float32)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return made_stage(tmp_path, monkeypatch)


def match(track: Path, log10: float = -5.0, at_s: float = 3.0, query: Span = TEN, speed: float = 1.0) -> Match:
    reference = Span(at_s, at_s + query.duration_s * speed)
    return Match(str(track), "audio", query, reference, speed, 0.0, False, None, -log10, log10)


def judged(stage: Stage, plants: Sequence[Plant], matches: Sequence[Match], same: bool = False) -> Outcome:
    groups = {f"package/music/{k}.wav": "one recording" for k in (0, 1)} if same else {}
    segment = Segment(TEN, tuple(matches), 20.0, np.array([0.1, 0.3]))
    return Judge(stage.known, groups, {}).outcome("row", 0, Query(NO_SOUND, tuple(plants)), [segment])


def test_what_is_right_and_what_is_wrong(stage: Stage) -> None:
    one, other = stage.known
    planted = [Plant(one, TEN, 3.0)]

    right = judged(stage, planted, [match(one), match(other, -3.5)])
    assert (right.right, right.wrong, right.mistaken_for) == (-5.0, -3.5, "package/music/1.wav")
    assert right.placed
    assert right.ends
    assert right.speed
    assert (right.peer_right, right.peer_wrong) == (0.1, 0.3)
    assert judged(stage, planted, []).right == NEVER
    assert judged(stage, planted, [match(other)]).right == NEVER
    assert judged(stage, [], [match(other)]).wrong == -5.0
    assert judged(stage, planted, [match(other)], same=True).wrong == NEVER, "the same recording is no mistake"


def test_of_two_songs_both_must_be_found(stage: Stage) -> None:
    planted = [Plant(track, TEN, 3.0) for track in stage.known]
    assert judged(stage, planted, [match(stage.known[0])]).right == NEVER
    assert judged(stage, planted, [match(stage.known[0]), match(stage.known[1], -3.2)]).right == -3.2


def test_place_ends_speed_and_pitch_are_those_of_the_surest_match(stage: Stage) -> None:
    planted = [Plant(stage.known[0], TEN, 3.0, 1.05, 0.84)]
    told = replace(match(stage.known[0], -6.0, speed=1.051), pitch_semitones=0.7)
    outcome = judged(stage, planted, [match(stage.known[0], -3.0, 20.0), told])
    assert (outcome.placed, outcome.ends, outcome.speed, outcome.pitch) == (True, True, True, True)
    outcome = judged(stage, planted, [match(stage.known[0], -6.0, 7.0, Span(1.1, 10.0), 1.06)])
    assert (outcome.placed, outcome.ends, outcome.speed, outcome.pitch) == (False, False, False, False)


class Scripted:
    """A catalogue that finds what it is told, segment after segment, and notes what it was to expect."""

    def __init__(self, answers: Sequence[Sequence[Match]]) -> None:
        self._answers = iter(answers)
        self.expected: list[Sequence[Match]] = []

    def find(self, audio: AudioQuery | None, video: VideoPrint | None, expected: Sequence[Match] = ()) -> list[Match]:
        self.expected.append(expected)
        return list(next(self._answers))


def test_a_stream_counts_what_was_found_by_then_and_expects_what_was_playing(stage: Stage) -> None:
    def make(stage: Stage, rng: np.random.Generator, k: int) -> Query:
        query = song(stage, rng, k, length_s=30.0)
        return replace(query, plants=(replace(query.plants[0], track=stage.known[0], reference_s=0.0),))

    row = Row("stream", make, (0.9, None), after=(1, 3))
    scripted = Scripted([[], [match(stage.known[0], at_s=10.0)], []])
    bench = Bench(cast(Catalogue, scripted), peers.Prints.of(stage.known), stage, Judge(stage.known, {}, {}))
    first, third = bench.measure(row, [0])

    assert (first.row, first.right) == ("stream, after 1 segment", NEVER)
    assert (third.row, third.right) == ("stream, after 3 segments", -5.0)
    assert third.placed
    assert third.ends, "of the segment in which it was found"
    assert [len(e) for e in scripted.expected] == [0, 0, 1]
    assert scripted.expected[2][0].query == Span(-10.0, 0.0)


def test_a_line_shows_targets_and_misses(stage: Stage) -> None:
    planted = [Plant(stage.known[0], TEN, 3.0)]
    good = judged(stage, planted, [match(stage.known[0])])
    late = judged(stage, planted, [match(stage.known[0], -3.5, query=Span(2.0, 10.0), at_s=5.0)])
    missed = judged(stage, planted, [match(stage.known[1])])
    negatives = [judged(stage, [], [match(stage.known[0], -3.8)])]
    strict = table.Strict.of(negatives)

    cells = table.line("row", [good, late, missed], strict, 0.995).strip("| ").split(" | ")
    assert dict(zip(table.COLUMNS, cells, strict=True)) == {
        "query": "row",
        "n": "3",
        "target": "0.995",
        "found": "**0.667**",
        "sure": "0.333",
        "strict": "0.333",
        "wrong": "1",
        "wrong, sure": "1",
        "version": "0",
        "place": "1.000",
        "ends": "0.500",
        "speed": "1.000",
        "pitch": "1.000",
        "CPU ms (95 %)": "20 (20)",
        "Chromaprint": "1.000",
        "Chromaprint, strict": "0.000",
    }
    assert "ends 0.95" in table.line("row", [good], strict, ends_target=0.95)
    assert table.negatives(negatives, strict).startswith("1 of 1 negatives have a match, 0 of them a sure one")


def test_nothing_infinite_gets_into_json(stage: Stage) -> None:
    assert "Infinity" not in judged(stage, [], []).as_json()


def test_the_plot_is_drawn_and_what_is_expected_lies_on_its_diagonal() -> None:
    drawing = ElementTree.fromstring(reliability.drawn([100, 10, 1, 0, 0], 10_000))
    circles = [e for e in drawing if e.tag.endswith("circle")]
    diagonal = next(e for e in drawing if "stroke-dasharray" in e.attrib)
    slope = (float(diagonal.attrib["y2"]) - float(diagonal.attrib["y1"])) / (
        float(diagonal.attrib["x2"]) - float(diagonal.attrib["x1"])
    )
    assert len(circles) == 3
    for circle in circles:
        on_line = float(diagonal.attrib["y1"]) + slope * (float(circle.attrib["cx"]) - float(diagonal.attrib["x1"]))
        assert float(circle.attrib["cy"]) == pytest.approx(on_line, abs=0.2)
