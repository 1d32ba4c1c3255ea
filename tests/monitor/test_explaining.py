"""What a policy says in plain English: every rule, every figure."""

from typing import Any

import pytest

from sordino.monitor.explaining import explained
from sordino.monitor.holders import HolderPolicy
from sordino.monitor.policy import Policy
from sordino.monitor.policy_files import holders, load, packaged
from tests.monitor.test_holders import asking


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({}, "1. Always: the use stays up and is reported."),
        ({"tracks": "audio"}, "1. Where only the sound is used: the use stays up and is reported."),
        ({"tracks": "both"}, "both sound and pictures are used:"),
        ({"at_least_s": 3, "under_s": 30.5}, "the use lasts at least 3.0 s and under 30.5 s:"),
        ({"under_of_copy": 0.2}, "it is under 20% of the stream:"),
        ({"at_least_of_reference": 0.5}, "it is at least 50% of the work:"),
        ({"territories": ["eu", "us", "DACH"]}, "it is shown in EU, CH and US:"),
        ({"live": False}, "it is not live:"),
        ({"commercial": True}, "something is sold:"),
        ({"accounts": ["a", "b"]}, "the account is a or b:"),
        ({"accounts": list("abcdefg")}, "a, b, c, d, e or 2 others:"),
        ({"account_groups": ["fans"]}, "the account is in the group fans:"),
        ({"starts": "2027-01-01T00:00:00Z"}, "it is 2027-01-01 00:00 UTC or later:"),
        ({"ends": "2027-01-01T00:00:00Z", "live": True}, "it is live and it is before 2027-01-01 00:00 UTC:"),
    ],
)
def test_a_rule_is_a_sentence(when: dict[str, Any], says: str) -> None:
    sentences = explained(asking("mute", {"outcome": "track", "when": when}))
    assert says in sentences[1]
    assert "Otherwise: no more is asked than to mute the sound." in sentences


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"regime": "urhdag"}, "for the regime 'urhdag'"),
        ({"admissible": ["mute", "remove"]}, "the least that suffices: mute a stretch and delete it."),
        ({"admissible": []}, "the least that suffices: nothing."),
        ({"tolerated_residual_s": 2}, "2.0 s of unlicensed use may stay, or 5% of its length"),
        ({"min_episode_s": 7}, "less than 7.0 s is let be"),
        ({"automatic_log10_false_positive": -6}, "at most 10^-6"),
        ({"conflict_overlap": 0.3}, "overlap by 30% of the shorter one"),
        ({"deadlines": {"live_h": 0.5}}, "within 24 h, of a live stream within 0.5 h"),
        ({"audience": {"DE": 0.7, "AT": 0.1}}, "Of the audience 10% in AT and 70% in DE;"),
        ({}, "isn't known: where rights hold in some only"),
    ],
)
def test_every_figure_of_a_platform_s_policy_is_told(settings: dict[str, Any], says: str) -> None:
    policy = Policy.model_validate({"name": "mine", "version": 1, **settings})
    assert any(says in sentence for sentence in explained(policy))


def test_small_uses() -> None:
    assert explained(load("urhdag"))[-1] == (
        "By UrhDaG §§ 9-11, in DE, a use of up to 15.0 s of sound and of pictures, less than 50% of the work, beside "
        "other content and without selling anything is presumed to be permitted, except of a work of the kind film, "
        "show and sport while a stream is live: the use stays up and is reported."
    )


def test_every_packaged_policy_is_told_in_whole_sentences(tmp_path: Any) -> None:
    policies: list[Policy | HolderPolicy] = [load(name) for name in packaged()]
    for policy in [*policies, *holders(tmp_path).values()]:
        assert all(sentence.endswith(".") for sentence in explained(policy))
