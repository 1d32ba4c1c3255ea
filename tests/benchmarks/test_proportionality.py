"""The arithmetic of measures against known truth."""

from pathlib import Path

import pytest

from benchmarks.proportionality import Act, Sums, usual
from benchmarks.scenarios import Scenario
from sordino.fingerprints.model import Region, Span
from sordino.monitor.weighing import Layer, picture_layers

WHOLE = Span(0, 60)
QUARTER = Region(0.5, 0, 0.5, 0.5)


def scenario(infringes: bool = True) -> Scenario:
    """A song from 0:10 to 0:20; somebody speaks from 0:00 to 0:15; a film fills a quarter from 0:30 to 0:40."""
    song = Span(10, 20)
    return Scenario(
        "scenario",
        Path("video.mp4"),
        (
            Layer("music", (song,) if infringes else (), () if infringes else ((song, 1.0),)),
            Layer("voice", (), ((Span(0, 15), 1.0),)),
            *picture_layers(WHOLE, [(Span(30, 40), QUARTER)] if infringes else []),
        ),
        {},
    )


@pytest.mark.parametrize(
    ("acts", "residual_s", "voice_s", "picture_s"),
    [
        pytest.param([], 20, 0, 0, id="nothing"),
        pytest.param([Act("allow", ())], 20, 0, 0, id="allow"),
        pytest.param([Act("mute", (Span(10, 20),))], 10, 5, 0, id="mute the song"),
        pytest.param(
            [Act("mute", (Span(12, 22),)), Act("blank", (Span(30, 40),))], 2, 3, 7.5, id="late, and blank the film"
        ),
        pytest.param([Act("remove", (WHOLE,))], 0, 15, 57.5, id="remove"),
        pytest.param([Act("erase_music", (Span(10, 20),))], 10, 0, 0, id="take the song out"),
        pytest.param([Act("trim", (Span(10, 20),))], 10, 5, 10, id="cut the song out"),
        pytest.param([Act("blur_region", (Span(30, 40),), QUARTER)], 10, 0, 0, id="blur the film"),
        pytest.param(
            [Act("blur_region", (Span(30, 45),), Region(0, 0, 1, 0.5))], 10, 0, 5, id="blur too much, too long"
        ),
        pytest.param([Act("blur_region", (Span(30, 40),), Region(0.75, 0, 0.25, 1))], 15, 0, 1.25, id="half the film"),
        pytest.param([Act("blur_region", (Span(30, 40),))], 10, 0, 7.5, id="blur all of the picture"),
        pytest.param([Act("restrict_territory", (WHOLE,))], 0, 15, 57.5, id="nowhere to be seen"),
        pytest.param([Act("disable_commerce", (WHOLE,))], 20, 0, 0, id="not for sale"),
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
    for acts in ([Act("mute", (Span(10, 20),))], [Act("review", (WHOLE,))], [Act("allow", ())]):
        sums.add(scenario(infringes=False), acts)
    assert (sums.acts_on_lawful, sums.humans, sums.infringing_s) == (1, 1, 0)
    assert sums.lost_s["music"] == 10


def test_what_is_usual() -> None:
    acts = usual([Span(1790, 1805), Span(4000, 4010)], 6000)
    assert acts["mute half hours"] == (Act("mute", (Span(0, 5400),)),)
    assert acts["mute what matched"] == (Act("mute", (Span(1790, 1805), Span(4000, 4010))),)
    assert acts["delete"] == (Act("remove", (Span(0, 6000),)),)
    assert set(usual([], 6000).values()) == {()}
