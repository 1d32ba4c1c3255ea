"""Which licences cover a use: of a work or a whole catalogue, for accounts or groups of them, live or recorded."""

from dataclasses import replace
from typing import Any

import pytest

from sordino.monitor.works import Licence, Ownership, Work
from sordino.pipelines.messages import Segment
from tests.monitor.test_holders import POLICIES, kinds
from tests.monitor.test_recommend import SONG, ask, facts, heard, segment

TWO_OWNERS = replace(SONG, owners=(Ownership("Label A", 0.5), Ownership("Label B", 0.5, ("DE",))))


def of_catalogue(holder: str = "Label A", licence_id: str = "L-1", **limits: Any) -> Licence:
    return Licence(licence_id, None, "Shop Seven", holder=holder, **limits)


def of_work(**limits: Any) -> Licence:
    return Licence("L-1", "song", "Shop Seven", **limits)


@pytest.mark.parametrize(
    ("licences", "one", "work", "covers", "why"),
    [
        pytest.param((of_catalogue(),), segment(), SONG, [True], "covers this use", id="all works of the holder"),
        pytest.param((of_catalogue("Label Z"),), segment(), SONG, [], "", id="another holder's catalogue"),
        pytest.param(
            (of_catalogue(),), segment(), TWO_OWNERS, [False], "and Label B own the rest", id="one of two owners"
        ),
        pytest.param((of_catalogue(),), segment(territory="FR"), TWO_OWNERS, [True], "covers", id="the only one there"),
        pytest.param(
            (of_catalogue(), of_catalogue("Label B", "L-2")), segment(), TWO_OWNERS, [True, True], "", id="both owners"
        ),
        pytest.param(
            (of_catalogue(), of_catalogue("Label B", "L-2", territories=("FR",))),
            segment(territory="DE"),
            TWO_OWNERS,
            [False, False],
            "Label B own the rest",
            id="both, one elsewhere",
        ),
        pytest.param((of_work(use="live"),), segment(live=True), SONG, [True], "covers", id="live"),
        pytest.param((of_work(use="live"),), segment(), SONG, [False], "only for live use, and", id="not recorded"),
        pytest.param((of_work(use="recorded"),), segment(live=True), SONG, [False], "segment is live", id="not live"),
        pytest.param((of_work(use="recorded"),), segment(), SONG, [True], "covers", id="recorded"),
        pytest.param(
            (of_work(account_groups=("partners",)),), segment(account="shop-7"), SONG, [True], "by shop-7", id="group"
        ),
        pytest.param(
            (of_work(account_groups=("friends",)),),
            segment(account="shop-7"),
            SONG,
            [False],
            "only for account group friends, not shop-7",
            id="another group",
        ),
        pytest.param(
            (of_work(accounts=("shop-1",), account_groups=("partners",)),),
            segment(account="shop-7"),
            SONG,
            [True],
            "",
            id="account or group",
        ),
        pytest.param(
            (of_work(account_groups=("partners",)),), segment(), SONG, [False], "names none", id="account unknown"
        ),
    ],
)
def test_what_covers_a_use(
    licences: tuple[Licence, ...], one: Segment, work: Work, covers: list[bool], why: str
) -> None:
    groups = frozenset({"partners"}) if one.account else frozenset()
    answer = ask(one, heard(20, 29), known=replace(facts(work, licences=licences), account_groups=groups))
    assert [checked.covers for checked in answer.licences_checked] == covers
    assert kinds(answer) == (["allow"] if covers and all(covers) else ["mute"])
    assert why in "".join(checked.why for checked in answer.licences_checked)


def test_a_catalogue_s_licence_is_looked_up_for_each_of_its_works() -> None:
    again = replace(SONG, work_id="again", title="Again")
    known = facts(again, licences=(of_catalogue(),))
    answer = ask(segment(), heard(20, 29), heard(5, 9, "again"), heard(33, 40, "tune"), known=known)
    assert [(checked.work_id, checked.covers) for checked in answer.licences_checked] == [
        ("again", True),
        ("song", True),
    ]
    assert [(m.kind, m.spans[0].start_s) for m in answer.measures] == [("mute", 33)]  # a publisher's, not Label A's


def test_a_licence_goes_before_what_the_holder_asks_for() -> None:
    known = facts(replace(SONG, policy="track"), licences=(of_catalogue(),))
    assert kinds(ask(segment(), heard(20, 29), known=known, holders=POLICIES)) == ["allow"]
