from datetime import UTC, datetime
from pathlib import Path

import pytest

from sordino.monitor.policy import MAX_POLICY_BYTES, Policy, PolicyError
from sordino.monitor.policy_files import load, load_any, packaged
from sordino.monitor.works import TERRITORIES
from sordino.pipelines.messages import Media, Segment

GOOD = 'name = "mine"\nversion = 2\n'
MINIMUM = '[minimum_use]\nlaw = "L"\nup_to_s = 15\nunder_of_work = 0.5\n'


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_neutral_pack_is_there_and_says_in_full_what_the_code_assumes() -> None:
    assert "default" in packaged()
    assert load("default") == Policy(name="default", version=2)
    assert load().regime == "none"


@pytest.mark.parametrize("name", packaged())
def test_every_packaged_policy_loads_under_its_own_name(name: str) -> None:
    assert load(name).name == name


def test_a_policy_of_ones_own_is_read_from_its_path(tmp_path: Path) -> None:
    policy = load(written(tmp_path, GOOD + 'admissible = ["mute"]\nmin_episode_s = 5\n[deadlines]\nlive_h = 0.5\n'))
    assert (policy.name, policy.admissible, policy.min_episode_s) == ("mine", ("mute",), 5.0)
    assert (policy.deadlines.live_h, policy.deadlines.recorded_h) == (0.5, 24.0)


def test_rungs_are_in_order_whatever_order_they_are_named_in(tmp_path: Path) -> None:
    policy = load(written(tmp_path, GOOD + '[live]\nrungs = ["slate_live", "warn_live", "slate_live"]\ngrace_s = 3\n'))
    assert policy.live.rungs == ("warn_live", "slate_live")
    assert (policy.live.grace_s, policy.live.cool_down_s) == (3.0, 60.0)
    assert load(written(tmp_path, GOOD + "[live]\nrungs = []\n")).live.rungs == ()


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        pytest.param(GOOD + "tolerance = 1", "policy_invalid", "tolerance: there is no such setting", id="unknown key"),
        pytest.param(GOOD + "[deadlines]\nhours = 1", "policy_invalid", "deadlines.hours: there is no", id="nested"),
        pytest.param('name = "mine"', "policy_invalid", "version: Field required", id="missing key"),
        pytest.param(GOOD + "min_episode_s = -1", "policy_invalid", "min_episode_s", id="negative"),
        pytest.param(GOOD + "tolerated_residual_s = nan", "policy_invalid", "tolerated_residual_s", id="not a number"),
        pytest.param(GOOD + "tolerated_residual_s = inf", "policy_invalid", "tolerated_residual_s", id="infinite"),
        pytest.param(
            GOOD + 'admissible = ["mute", "slate_live"]', "policy_invalid", "can't do slate_live", id="not offered"
        ),
        pytest.param(GOOD + 'admissible = ["explode"]', "policy_invalid", "admissible.0", id="unheard-of measure"),
        pytest.param(GOOD + "[audience]\nDE = 0.7\nAT = 0.4", "policy_invalid", "add up to 1.100", id="too many"),
        pytest.param(GOOD + "[audience]\nEU = 0.7", "policy_invalid", "'EU' is no territory", id="audience of a group"),
        pytest.param(GOOD + "[audience]\nDE = -0.1", "policy_invalid", "audience.DE", id="less than nobody"),
        pytest.param(
            GOOD + MINIMUM + 'territories = ["Mars"]', "policy_invalid", "'Mars' is no territory", id="law of nowhere"
        ),
        pytest.param(
            GOOD + MINIMUM, "policy_invalid", "minimum_use.territories: Field required", id="law without place"
        ),
        pytest.param('kind = "holder"\n' + GOOD, "policy_invalid", "is a rights holder's policy", id="a holder's"),
        pytest.param('kind = "king"\n' + GOOD, "policy_invalid", "kind: Input should be 'platform'", id="nobody's"),
        pytest.param("a = " + "[" * 5000, "policy_not_toml", "mine.toml", id="too deep"),
        pytest.param(GOOD + "[live]\nslate = 1", "policy_invalid", "live.slate: there is no such", id="live, unknown"),
        pytest.param(GOOD + "[live]\ngrace_s = -1", "policy_invalid", "live.grace_s", id="live, negative"),
        pytest.param(GOOD + "[live]\ncool_down_s = 0", "policy_invalid", "live.cool_down_s", id="live, never down"),
        pytest.param(GOOD + "[live]\nhold_s = 61", "policy_invalid", "live: cool_down_s is less", id="live, forgotten"),
        pytest.param(GOOD + '[live]\nrungs = ["mute"]', "policy_invalid", "live.rungs.0", id="live, no rung"),
        pytest.param(
            GOOD + '[live]\nrungs = ["mute_live"]', "policy_invalid", "live.rungs: warn_live has to be", id="unwarned"
        ),
        pytest.param(GOOD + "[brakes]\na_day = 1", "policy_invalid", "brakes.a_day: there is no such", id="brakes"),
        pytest.param(GOOD + "[brakes]\nper_holder_a_day = 0", "policy_invalid", "brakes.per_holder", id="no quota"),
        pytest.param(
            GOOD + "[brakes]\nper_reference_a_day = -5", "policy_invalid", "brakes.per_reference", id="negative quota"
        ),
        pytest.param(
            GOOD + "[brakes]\nper_holder_a_day = 1.5", "policy_invalid", "brakes.per_holder", id="part of a quota"
        ),
        pytest.param(GOOD + "version = 3", "policy_not_toml", "mine.toml", id="said twice"),
        pytest.param(b"\xff\xfe\x00", "policy_not_toml", "isn't UTF-8", id="not text"),
        pytest.param("#" * (MAX_POLICY_BYTES + 1), "policy_unreadable", "is over", id="too long"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_in_one_line(
    content: str | bytes, code: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(PolicyError, match=r"mine\.toml") as caught:
        load(written(tmp_path, content))
    assert caught.value.code == code
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "../default", "", "nowhere.toml", "no/such/folder/x.toml"])
def test_a_policy_that_isnt_there(name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(name)
    assert caught.value.code == "policy_not_found"
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "../default", "nowhere.toml"])
def test_a_policy_of_either_kind_that_isnt_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_any(name, tmp_path)
    assert caught.value.code == "policy_not_found"
    assert name in str(caught.value)


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(PolicyError) as caught:
        load(tmp_path / "folder.toml")
    assert caught.value.code == "policy_unreadable"


def test_the_version_name_changes_with_any_figure() -> None:
    one = Policy(name="mine", version=2)
    assert one.version_name.startswith("mine@2+")
    assert one.version_name == Policy(name="mine", version=2).version_name
    assert one.version_name != Policy(name="mine", version=2, min_episode_s=2.9).version_name


@pytest.mark.parametrize(
    ("duration_s", "tolerated_s"),
    [(60.0, 0.5), (10.0, 0.5), (2.0, 0.1), (0.0, 0.0)],
    ids=["long", "ten seconds", "short: a share", "nothing"],
)
def test_short_segments_tolerate_less(duration_s: float, tolerated_s: float) -> None:
    assert load().tolerated_s(duration_s) == pytest.approx(tolerated_s)


def test_an_audience_that_isnt_told_is_spread_evenly() -> None:
    policy = Policy(name="mine", version=2, audience={"DE": 0.7})
    assert policy.audience_in(["DE"], TERRITORIES) == pytest.approx(0.7)
    assert policy.audience_in(["AT", "CH"], TERRITORIES) == pytest.approx(2 * 0.3 / (len(TERRITORIES) - 1))
    assert policy.audience_in(["DE"], ["DE"]) == 1
    assert load().audience_in(["FR"], ["FR", "DE"]) == pytest.approx(0.5)


@pytest.mark.parametrize(("live", "hour"), [(True, 13), (False, 36)])
def test_a_live_stream_is_decided_sooner(live: bool, hour: int) -> None:
    segment = Segment(stream_id="s", sequence=0, start_s=0, duration_s=10, media=Media(uri="file:///x.mp4"), live=live)
    now = datetime(2025, 3, 1, 12, tzinfo=UTC)
    assert (load().deadline(segment, now) - now).total_seconds() == (hour - 12) * 3600
