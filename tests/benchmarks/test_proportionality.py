"""The arithmetic of measures against known truth."""

from pathlib import Path

import pytest

from benchmarks.proportionality import Act, Sums, usual
from benchmarks.scenarios import Scenario
from sordino.fingerprints.model import Region, Span
from sordino.monitor.weighing import Layer, picture_layer

WHOLE = Span(0, 60)


def scenario(infringes: bool = True) -> Scenario:
    """A song from 0:10 to 0:20; somebody speaks from 0:00 to 0:15; a film fills a quarter from 0:30 to 0:40."""
    song = Span(10, 20)
    return Scenario(
        "scenario",
        Path("video.mp4"),
        (
            Layer("music", (song,) if infringes else (), () if infringes else ((song, 1.0),)),
            Layer("voice", (), ((Span(0, 15), 1.0),)),
            picture_layer(WHOLE, [(Span(30, 40), Region(0.5, 0, 0.5, 0.5))] if infringes else []),
        ),
        {},
    )


@pytest.mark.parametrize(
    ("acts", "residual_s", "voice_s", "picture_s"),
    [
        pytest.param([], 20, 0, 0, id="nothing"),
        pytest.param([("allow", ())], 20, 0, 0, id="allow"),
        pytest.param([("mute", (Span(10, 20),))], 10, 5, 0, id="mute the song"),
        pytest.param([("mute", (Span(12, 22),)), ("blank", (Span(30, 40),))], 2, 3, 7.5, id="late, and blank the film"),
        pytest.param([("remove", (WHOLE,))], 0, 15, 57.5, id="remove"),
    ],
)
def test_what_is_left_and_what_is_lost(acts: list[Act], residual_s: float, voice_s: float, picture_s: float) -> None:
    sums = Sums()
    sums.add(scenario(), acts)
    assert sums.infringing_s == 20
    assert (sums.residual_s, sums.lost_s["voice"], sums.lost_s["picture"]) == (residual_s, voice_s, picture_s)
    assert (sums.acts_on_lawful, sums.humans) == (0, 0)


def test_acts_on_what_is_lawful_and_reviews_are_counted() -> None:
    sums = Sums()
    for acts in ([("mute", (Span(10, 20),))], [("review", (WHOLE,))], [("allow", ())]):
        sums.add(scenario(infringes=False), acts)
    assert (sums.acts_on_lawful, sums.humans, sums.infringing_s) == (1, 1, 0)
    assert sums.lost_s["music"] == 10


def test_what_is_usual() -> None:
    acts = usual([Span(1790, 1805), Span(4000, 4010)], 6000)
    assert acts["mute half hours"] == (("mute", (Span(0, 5400),)),)
    assert acts["mute what matched"] == (("mute", (Span(1790, 1805), Span(4000, 4010))),)
    assert acts["delete"] == (("remove", (Span(0, 6000),)),)
    assert set(usual([], 6000).values()) == {()}
