"""Identifiers with their check digits, territories, and what can't be said of a work."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.monitor.works import (
    Excluded,
    InvalidWork,
    Licence,
    Ownership,
    Work,
    parse_eidr,
    parse_isrc,
    parse_iswc,
    parse_territory,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ISWC, EIDR = "T-034.524.680-1", "10.5240/7791-8534-2C23-9030-8610-5"  # the examples of the registries


@pytest.mark.parametrize(
    ("parse", "text", "normal"),
    [
        pytest.param(parse_isrc, "USRC17607839", "USRC17607839", id="ISRC"),
        pytest.param(parse_isrc, " isrc: us-rc1-76-07839 ", "USRC17607839", id="ISRC as printed"),
        pytest.param(parse_iswc, "T0345246801", ISWC, id="ISWC bare"),
        pytest.param(parse_iswc, "iswc t-034524680-1", ISWC, id="ISWC as printed"),
        pytest.param(parse_eidr, EIDR.lower(), EIDR, id="EIDR in small letters"),
        pytest.param(parse_eidr, f"https://doi.org/{EIDR}", EIDR, id="EIDR as a link"),
        pytest.param(parse_territory, " gb ", "GB", id="territory"),
    ],
)
def test_identifiers_are_brought_to_one_form(parse: Callable[[str], str], text: str, normal: str) -> None:
    assert parse(text) == normal
    assert parse(normal) == normal


@pytest.mark.parametrize(
    ("parse", "text", "code"),
    [
        pytest.param(parse_isrc, "USRC1760783", "bad_isrc", id="ISRC too short"),
        pytest.param(parse_isrc, "1SRC17607839", "bad_isrc", id="ISRC without country"),
        pytest.param(parse_isrc, "USRC1760783\u0669", "bad_isrc", id="ISRC with another script's digit"),
        pytest.param(parse_iswc, "T-034.524.680-2", "bad_iswc", id="ISWC check digit"),
        pytest.param(parse_iswc, "034.524.680-1", "bad_iswc", id="ISWC without T"),
        pytest.param(parse_eidr, EIDR[:-1] + "6", "bad_eidr", id="EIDR check character"),
        pytest.param(parse_eidr, "10.5239/7791-8534-2C23-9030-8610-5", "bad_eidr", id="EIDR of no content"),
        pytest.param(parse_territory, "UK", "bad_territory", id="reserved code"),
        pytest.param(parse_territory, "", "bad_territory", id="empty"),
    ],
)
def test_what_is_no_identifier_is_refused(parse: Callable[[str], str], text: str, code: str) -> None:
    with pytest.raises(InvalidWork) as caught:
        parse(text)
    assert caught.value.code == code
    assert repr(text) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("parse", "good", "places", "alphabet"),
    [
        # ISO 15707 multiplies the n-th digit by n, modulo 10: with even factors and 5, some slips can't be noticed
        pytest.param(parse_iswc, ISWC, (2, 4, 10, 12, 14), "0123456789", id="ISWC"),
        pytest.param(parse_eidr, EIDR, range(8, len(EIDR)), "0123456789ABCDEF", id="EIDR"),
    ],
)
def test_one_wrong_character_is_noticed(
    parse: Callable[[str], str], good: str, places: Sequence[int], alphabet: str
) -> None:
    slips = [
        good[:n] + other + good[n + 1 :] for n in places if good[n] != "-" for other in alphabet if other != good[n]
    ]
    assert len(slips) >= 45
    for slip in slips:
        with pytest.raises(InvalidWork):
            parse(slip)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_isrc, parse_iswc, parse_eidr, parse_territory):
        try:
            normal = parse(text)
        except InvalidWork:
            continue
        assert parse(normal) == normal


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda: Ownership(" "), "bad_holder", id="owner without name"),
        pytest.param(lambda: Ownership("h", 0.0), "bad_share", id="no share"),
        pytest.param(lambda: Ownership("h", 1.01), "bad_share", id="more than all"),
        pytest.param(lambda: Ownership("h", float("nan")), "bad_share", id="share that is no number"),
        pytest.param(lambda: Ownership("h", 1.0, ("XX",)), "bad_territory", id="unknown territory"),
        pytest.param(lambda: Ownership("h", 1.0, ("de",)), "not_normal", id="territory in small letters"),
        pytest.param(lambda: _work(title=""), "bad_title", id="no title"),
        pytest.param(lambda: _work(kind="podcast"), "bad_kind", id="unknown kind"),
        pytest.param(lambda: _work(isrc="us-rc1-76-07839"), "not_normal", id="ISRC not in its one form"),
        pytest.param(lambda: _work(iswc="T-034.524.680-2"), "bad_iswc", id="wrong ISWC"),
        pytest.param(lambda: _work(registered=datetime(2026, 1, 1)), "bad_time", id="time without zone"),
        pytest.param(
            lambda: Licence("l", "w", "s", territories=("Germany",)), "bad_territory", id="licence's territory"
        ),
        pytest.param(
            lambda: Licence("l", "w", "s", starts=NOON, expires=NOON), "bad_period", id="over before it began"
        ),
        pytest.param(
            lambda: Licence("l", "w", "s", expires=datetime(2026, 1, 1)), "bad_time", id="licence without zone"
        ),
        pytest.param(lambda: Licence("l", None, "s"), "bad_licence", id="licence for nothing"),
        pytest.param(lambda: Licence("l", "w", "s", holder="h"), "bad_licence", id="for a work and a catalogue"),
        pytest.param(lambda: Licence("l", "w", "s", use="private"), "bad_use", id="unknown use"),
        pytest.param(lambda: Excluded(3, 3), "bad_interval", id="empty stretch"),
        pytest.param(lambda: Excluded(-1, 3), "bad_interval", id="stretch before the beginning"),
        pytest.param(lambda: Excluded(1, float("nan")), "bad_interval", id="stretch that ends nowhere"),
        pytest.param(lambda: Excluded(1, float("inf")), "bad_interval", id="stretch without end"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], code: str) -> None:
    with pytest.raises(InvalidWork) as caught:
        make()
    assert caught.value.code == code


def test_owners_who_claim_more_than_all_are_a_fact_not_an_error() -> None:
    assert len(_work(owners=(Ownership("a"), Ownership("b"))).owners) == 2


def _work(**values: Any) -> Work:
    return Work(**{"work_id": "w", "title": "T", "kind": "film", "owners": (Ownership("h"),), **values})
