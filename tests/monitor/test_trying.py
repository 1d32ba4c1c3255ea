"""Erasing is tried for what infringes and for nothing else; what can't be tried is muted."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sordino.monitor import trying
from sordino.pipelines.remedies.trial import tried
from tests.sample_home import Sources, sordino, work_id


def kinds(line: dict[str, Any]) -> list[str]:
    return [measure["kind"] for measure in line["recommendation"]["measures"]]


def check(home: Path, clip: Path, **environment: str) -> dict[str, Any]:
    line: dict[str, Any] = sordino("check", clip, "--home", home, "--json", **environment).line
    return line


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[Any, str]]:
    """What was tried, each time."""
    made: list[Mapping[Any, str]] = []

    def noted(path: Path, songs: Mapping[Any, str], *rest: Any) -> Any:
        made.append(songs)
        return tried(path, songs, *rest)

    monkeypatch.setattr(trying, "tried", noted)
    return made


def test_what_infringes_is_tried_once(home: Path, sources: Sources, attempts: list[Mapping[Any, str]]) -> None:
    assert kinds(check(home, sources.clip)) == ["erase_music"]
    ((song,),) = attempts
    assert song.path.parent == home / "media"


def test_what_is_licensed_is_not_tried(home: Path, sources: Sources, attempts: list[Mapping[Any, str]]) -> None:
    assert sordino("licences", "add", work_id(home, "song"), "--home", home).status == 0
    assert kinds(check(home, sources.clip)) == ["allow"]
    assert attempts == []


def test_a_policy_that_does_not_admit_erasing(
    home: Path, sources: Sources, attempts: list[Mapping[Any, str]], tmp_path: Path
) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text('name = "mine"\nversion = 1\nadmissible = ["mute", "remove"]\n')
    assert kinds(check(home, sources.clip, SORDINO_POLICY=str(policy))) == ["mute"]
    assert attempts == []


@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
def test_a_reference_whose_media_is_lost_is_muted(home: Path, sources: Sources, *, damaged: bool) -> None:
    for kept in (home / "media").iterdir():
        if damaged:
            kept.write_bytes(b"no sound at all")
    if not damaged:
        shutil.rmtree(home / "media")
    line = check(home, sources.clip)
    assert kinds(line) == ["mute"]
    assert "erase_music" not in [row["measure"]["kind"] for row in line["recommendation"]["rejected"]]
