"""Sets of measures, weighed: modality by modality, region by region, territory by territory."""

from dataclasses import dataclass

import pytest

from sordino.fingerprints.model import Region, Span
from sordino.monitor.options import weigh
from sordino.monitor.weighing import LADDER, Layer, Weighed, least_sufficient, picture_layers
from sordino.pipelines.messages import MeasureKind

WHOLE = Span(0, 60)
VOICE = Layer("voice", (), ((WHOLE, 1.0),))
PICTURE = Layer("picture", (), ((WHOLE, 1.0),))
CORNER = Region(0.5, 0.5, 0.5, 0.5)
INSET = picture_layers(WHOLE, [(Span(1, 3), CORNER)])
OTHER_CORNER = Region(0, 0, 0.25, 0.5)

Told = list[tuple[MeasureKind, list[tuple[float, float]]]]


def music(*spans: Span, erasable: tuple[Span, ...] = (), ceiling: MeasureKind = "remove") -> Layer:
    return Layer("music", spans, (), ceiling=ceiling, erasable=erasable)


def told(option: Weighed | None) -> Told:
    assert option is not None
    return [(m.kind, [(span.start_s, span.end_s) for span in m.spans]) for m in option.measures]


@dataclass(frozen=True)
class Row:
    layers: list[Layer]
    admissible: tuple[MeasureKind, ...]
    expected: Told
    collateral_s: float


ALL: tuple[MeasureKind, ...] = ("erase_music", "mute", "blur_region", "blank", "disable_commerce", "remove")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(Row([music(Span(5, 9)), VOICE], ALL, [("mute", [(5, 9)])], 4), id="not tried: mute"),
        pytest.param(
            Row([music(Span(5, 9), erasable=(Span(5, 9),)), VOICE], ALL, [("erase_music", [(5, 9)])], 0),
            id="taken out by trial: erase",
        ),
        pytest.param(
            Row(
                [music(Span(5, 9), erasable=(Span(5, 7),)), VOICE],
                ALL,
                [("erase_music", [(5, 7)]), ("mute", [(7, 9)])],
                2,
            ),
            id="half of it: erase and mute",
        ),
        pytest.param(
            Row(
                [music(Span(5, 9), erasable=(Span(5, 9),)), music(Span(7, 12)), VOICE],
                ALL,
                [("erase_music", [(5, 7)]), ("mute", [(7, 12)])],
                5,
            ),
            id="what plays under another song isn't erased",
        ),
        pytest.param(
            Row([music(Span(5, 9), erasable=(Span(5, 9),)), VOICE], ("mute",), [("mute", [(5, 9)])], 4),
            id="erasing isn't admitted",
        ),
        pytest.param(
            Row(
                [music(Span(5, 9), erasable=(Span(5, 9),)), music(Span(20, 29)), VOICE, *INSET],
                ALL,
                [("erase_music", [(5, 9)]), ("mute", [(20, 29)]), ("blur_region", [(1, 3)])],
                9,
            ),
            id="erase one song, mute the other, blur a picture",
        ),
        pytest.param(
            Row(
                picture_layers(WHOLE, [(Span(1, 3), CORNER), (Span(2, 4), None)]),
                ALL,
                [("blur_region", [(1, 3)]), ("blank", [(2, 4)])],
                0,
            ),
            id="blur an inset, blank a whole picture",
        ),
        pytest.param(
            Row(
                picture_layers(WHOLE, [(Span(1, 3), CORNER), (Span(2, 4), OTHER_CORNER)]),
                ALL,
                [("blur_region", [(2, 4)]), ("blur_region", [(1, 3)])],
                0,
            ),
            id="two insets, two regions",
        ),
        pytest.param(
            Row([music(Span(5, 9)), VOICE, PICTURE], ("trim", "remove"), [("trim", [(5, 9)])], 8), id="cut out"
        ),
        pytest.param(
            Row([music(WHOLE), VOICE, PICTURE], ("trim", "remove"), [("remove", [(0, 60)])], 120),
            id="cutting out all of it isn't cutting out",
        ),
        pytest.param(
            Row(
                [
                    Layer("commerce", (Span(5, 9),), (), ceiling="disable_commerce"),
                    Layer("commerce", (), ((Span(0, 5), 1.0), (Span(9, 60), 1.0))),
                    VOICE,
                ],
                ALL,
                [("disable_commerce", [(5, 9)])],
                0,
            ),
            id="the link to buy only",
        ),
    ],
)
def test_the_least_that_suffices(row: Row) -> None:
    best = least_sufficient(weigh(row.layers, WHOLE, row.admissible), 0.5)
    assert told(best) == row.expected
    assert best is not None
    assert best.collateral_s == pytest.approx(row.collateral_s)
    assert best.residual_s == 0


def test_each_inset_is_blurred_in_its_own_region() -> None:
    layers = picture_layers(WHOLE, [(Span(1, 3), CORNER), (Span(2, 4), OTHER_CORNER)])
    best = least_sufficient(weigh(layers, WHOLE, ALL), 0.5)
    assert best is not None
    regions = [(m.region.x, m.region.y, m.region.w, m.region.h) for m in best.measures if m.region]
    assert regions == [(0, 0, 0.25, 0.5), (0.5, 0.5, 0.5, 0.5)]


def test_a_second_with_two_songs_or_two_insets_infringes_once() -> None:
    layers = [music(Span(5, 9)), music(Span(7, 12)), *picture_layers(WHOLE, [(Span(1, 3), CORNER), (Span(2, 4), None)])]
    assert weigh(layers, WHOLE, [])[0].residual_s == 7 + 3


@pytest.mark.parametrize("ceiling", LADDER[LADDER.index("erase_music") :])
def test_no_option_goes_beyond_the_ceiling_of_what_it_is_for(ceiling: MeasureKind) -> None:
    layers = [music(Span(5, 9), ceiling=ceiling, erasable=(Span(5, 7),)), VOICE, PICTURE]
    for option in weigh(layers, WHOLE, LADDER):
        assert all(LADDER.index(measure.kind) <= LADDER.index(ceiling) for measure in option.measures)


def test_deleting_needs_every_holder_s_leave_and_muting_one_s_own() -> None:
    mild, strict = music(Span(5, 9), ceiling="erase_music"), music(Span(20, 29))
    options = [told(option) for option in weigh([mild, strict, VOICE], WHOLE, ALL)]
    assert options == [[("allow", [])], [("mute", [(20, 29)])], [("mute", [(0, 60)])]]


def test_territories_are_weighed_by_their_audience() -> None:
    at_home, abroad = frozenset({"DE"}), frozenset({"FR", "US"})
    layers = [
        Layer("music", (Span(0, 30),), (), territories=at_home),
        Layer("music", (), ((Span(0, 30), 1.0),), territories=abroad, audience=0.9),
        Layer("voice", (), ((WHOLE, 1.0),), territories=at_home, audience=0.1),
        Layer("voice", (), ((WHOLE, 1.0),), territories=abroad, audience=0.9),
    ]
    options = {told(o)[0][0]: o for o in weigh(layers, WHOLE, ["mute", "restrict_territory", "remove"])[:2]}
    restricted, removed = weigh(layers, WHOLE, ["restrict_territory", "remove"])[1:]
    assert options["mute"].collateral_s == pytest.approx(30 + 0.9 * 30)  # voice everywhere, music where it is lawful
    assert restricted.measures[0].territories == ("DE",)
    assert restricted.residual_s == 0
    assert restricted.collateral_s == pytest.approx(0.1 * 60)
    assert removed.collateral_s == pytest.approx(60 + 0.9 * 30)
