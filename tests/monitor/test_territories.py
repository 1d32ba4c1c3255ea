import re

import pytest

from sordino.monitor.territories import expanded, named, packaged, resolved
from sordino.monitor.works import TERRITORIES, InvalidWork


def test_the_packaged_groups() -> None:
    groups = packaged()
    assert groups["WORLD"] == TERRITORIES
    assert len(groups["EU"]) == 27
    assert groups["EEA"] == groups["EU"] | {"IS", "LI", "NO"}


def test_groups_within_groups_in_any_order_and_case() -> None:
    groups = resolved({"OURS": ["eea", "MINE"], "MINE": ["ch", "DACH"]}, packaged())
    assert groups["OURS"] == packaged()["EEA"] | {"CH"}
    assert expanded(["mine", "us"], groups) == {"CH", "DE", "AT", "US"}


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        pytest.param({"A1": ["A1"]}, "bad_group", "A1 > A1", id="of itself"),
        pytest.param({"A1": ["B1"], "B1": ["C1"], "C1": ["B1"]}, "bad_group", "A1 > B1 > C1 > B1", id="a cycle"),
        pytest.param({"DE": ["AT"]}, "bad_group", "'DE' has the name of another", id="a territory's name"),
        pytest.param({"EU": ["AT"]}, "bad_group", "'EU' has the name of another", id="a known name"),
        pytest.param({"mine": ["AT"]}, "bad_group", "not in capitals", id="lower case"),
        pytest.param({"A1": ["Mars"]}, "bad_territory", "'Mars' is no territory", id="no territory"),
    ],
)
def test_groups_that_cannot_be(members: dict[str, list[str]], code: str, says: str) -> None:
    with pytest.raises(InvalidWork, match=re.escape(says)) as caught:
        resolved(members, packaged())
    assert caught.value.code == code


@pytest.mark.parametrize("name", sorted(packaged()))
def test_a_group_is_named_by_its_name(name: str) -> None:
    assert named(packaged()[name]) == (name,)
    assert expanded(named(packaged()[name]), packaged()) == packaged()[name]
