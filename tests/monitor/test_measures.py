"""Measures as they are typed, which can be together, and what they leave."""

import pytest

from sordino.fingerprints.model import Region, Span
from sordino.monitor.measures import Asked, check_together, of_recommendation, parse_measure
from sordino.monitor.remains import Done, figures
from sordino.pipelines.messages import Measure, PictureRegion, TimeSpan
from sordino.pipelines.remedies.plan import RemedyError

LEFT, RIGHT = Region(0, 0, 0.5, 1), Region(0.5, 0, 0.5, 1)


@pytest.mark.parametrize(
    ("typed", "kind", "spans", "rest"),
    [
        ("mute", "mute", (), {}),
        ("mute:12-31.5", "mute", (Span(12, 31.5),), {}),
        ("mute:1:02-1:10.5", "mute", (Span(62, 70.5),), {}),
        ("mute:59:59-1:00:00", "mute", (Span(3599, 3600),), {}),
        ("blank:5-8", "blank", (Span(5, 8),), {}),
        ("trim:3-4", "trim", (Span(3, 4),), {}),
        ("erase:W12", "erase_music", (), {"work_id": "W12"}),
        ("erase:W12:40-60", "erase_music", (Span(40, 60),), {"work_id": "W12"}),
        ("erase_music:W12:0:40-1:00", "erase_music", (Span(40, 60),), {"work_id": "W12"}),
        ("replace:W12:W34", "erase_music", (), {"work_id": "W12", "replaced_by": "W34"}),
        ("replace:W12:W34:40-60", "erase_music", (Span(40, 60),), {"work_id": "W12", "replaced_by": "W34"}),
        ("blur:10-20:0.5,0,0.5,1", "blur_region", (Span(10, 20),), {"region": RIGHT}),
        ("blur_region:0,0,0.5,1", "blur_region", (), {"region": LEFT}),
        ("blur:1:10-1:20", "blur_region", (Span(70, 80),), {}),
    ],
)
def test_a_measure_is_read_as_it_is_typed(
    typed: str, kind: str, spans: tuple[Span, ...], rest: dict[str, object]
) -> None:
    asked = parse_measure(typed)
    assert (asked.kind, asked.spans, asked.text) == (kind, spans, typed)
    for name in ("region", "work_id", "replaced_by"):
        assert getattr(asked, name) == rest.get(name)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "no measure ''"),
        ("mte:1-2", "no measure 'mte'"),
        ("mute:", "mute[:START-END]"),
        ("mute:1", "mute[:START-END]"),
        ("mute:nan-2", "mute[:START-END]"),
        ("mute:1-inf", "mute[:START-END]"),
        ("mute:-1-2", "mute[:START-END]"),
        ("mute:1-1e9", "mute[:START-END]"),
        ("mute:1:2:3:4-5", "mute[:START-END]"),
        ("mute:2-1", "ends before it starts"),
        ("mute:2-2", "ends before it starts"),
        ("mute:" + "9" * 400 + "-1", "mute[:START-END]"),
        ("trim", "trim:START-END"),
        ("erase", "erase:WORK"),
        ("erase_music", "erase:WORK"),
        ("replace:W1", "replace:WORK:OTHER"),
        ("blur:1-2:0.5,0.5,0.5", "x,y,w,h"),
        ("blur:1-2:0.5,0.5,0.6,0.5", "parts of the picture"),
        ("blur:1-2:0,0,0,1", "parts of the picture"),
        ("blur:1-2:-0.1,0,1,1", "parts of the picture"),
        ("remove", "is not rendered"),
        ("allow", "is not rendered"),
        ("mute:1-2\n", "mute[:START-END]"),
    ],
)
def test_what_is_no_measure_is_told_with_what_would_be(typed: str, why: str) -> None:
    with pytest.raises(RemedyError) as error:
        parse_measure(typed)
    assert error.value.code == "bad_measure"
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("typed", "contradict"),
    [
        ("mute:1-3 mute:2-4", False),
        ("mute:1-3 blank:1-3", False),
        ("mute:1-3 trim:2-4", False),
        ("erase:W1:1-3 trim:2-4", False),
        ("erase:W1:1-3 erase:W2:1-3", False),
        ("erase:W1:1-3 mute:3-4", False),
        ("erase:W1:1-3 mute:2-4", True),
        ("mute erase:W1:1-3", True),
        ("mute:1-2 erase:W1", False),  # wherever it is found: that is seen then
        ("replace:W1:W2:1-3 mute:2-4", True),
        ("replace:W1:W2:1-3 erase:W1:2-4", True),
        ("replace:W1:W2:1-3 erase:W3:2-4", False),
        ("replace:W1:W2:1-3 replace:W3:W4:2-4", True),
        ("blur:1-3 blank:2-4", True),
        ("blur:0,0,0.5,1 blur:1-3", False),
        ("blank blur:1-3", True),
    ],
)
def test_measures_that_cannot_both_be(typed: str, contradict: bool) -> None:
    asked = [parse_measure(text) for text in typed.split()]
    for both in (asked, asked[::-1]):
        if contradict:
            with pytest.raises(RemedyError, match="overlap") as error:
                check_together(both)
            assert error.value.code == "contradiction"
            assert all(text in str(error.value) for text in typed.split())
        else:
            check_together(both)


def test_what_is_recommended_is_asked_for_as_far_as_it_can_be_rendered() -> None:
    spans = (TimeSpan(start_s=1, end_s=5),)
    region = PictureRegion(x=0, y=0, w=0.5, h=1)
    measures = [
        Measure(kind="erase_music", spans=spans),
        Measure(kind="mute", spans=(TimeSpan(start_s=4, end_s=6),)),
        Measure(kind="blur_region", spans=spans, region=region),
        Measure(kind="restrict_territory", territories=("DE",)),
    ]
    assert of_recommendation(measures) == [
        Asked("erase_music", "erase_music", (Span(1, 4),)),
        Asked("mute", "mute", (Span(4, 6),)),
        Asked("blur_region", "blur_region", (Span(1, 5),), LEFT),
    ]
    assert of_recommendation([Measure(kind="allow")]) == []
    assert of_recommendation([Measure(kind="mute")]) == [Asked("mute", "mute")]  # all of it
    blank = Measure(kind="blank", spans=spans)
    assert [one.kind for one in of_recommendation([blank, measures[2]])] == ["blank"]


# --- what is left ----------------------------------------------------------------------------------------------------

HEARD, SEEN = [Span(2, 6), Span(4, 8)], [(Span(2, 6), LEFT)]


@pytest.mark.parametrize(
    ("done", "residual_s", "collateral_s"),
    [
        (Done(), 6 + 4, 0),
        (Done(muted=(Span(2, 8),)), 4, 6),
        (Done(erased=(Span(2, 8),)), 4, 0),
        (Done(erased=(Span(2, 4),)), 4 + 4, 0),
        (Done(muted=(Span(0, 10),)), 4, 10),
        (Done(hidden=((Span(2, 6), LEFT),)), 6, 0),
        (Done(hidden=((Span(2, 6), RIGHT),)), 10, 4 * 0.5),
        (Done(hidden=((Span(2, 6), Region(0, 0, 0.4, 1)),)), 10, 0),
        (Done(hidden=((Span(2, 6), None),)), 6, 4 * 0.5),
        (Done(hidden=((Span(0, 2), None),)), 10, 2),
        (Done(trimmed=(Span(2, 8),)), 0, 6 + 4 * 0.5 + 2),
        (Done(muted=(Span(2, 4),), trimmed=(Span(3, 5),)), 3 + 2, 3 + 2 * 0.5),
    ],
)
def test_residual_and_collateral(done: Done, residual_s: float, collateral_s: float) -> None:
    assert figures(HEARD, SEEN, done, 10, ["audio", "video"]) == (residual_s, collateral_s)


def test_a_track_that_is_not_there_counts_for_nothing() -> None:
    done = Done(trimmed=(Span(0, 1),))
    assert figures(HEARD, [], done, 10, ["audio"]) == (6, 1)
    assert figures([], SEEN, done, 10, ["video"]) == (4, 1)
