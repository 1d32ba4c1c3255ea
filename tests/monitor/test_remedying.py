"""`sordino remedy` and `sordino check --remedy`: what is rendered, what is told, and what goes wrong."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.pipelines.sound import sound
from tests import synth
from tests.sample_home import Ran, Sources, part, sordino, work_id
from tests.synth import RATE

LINE = {"path", "out", "measures", "residual_s", "collateral_s", "warnings"}


def remedy(home: Path, source: Path, out: Path, measures: str) -> Ran:
    asked = [word for measure in measures.split() for word in ("--measure", measure)]
    return sordino("remedy", source, out, *asked, "--home", home, "--json")


def heard(path: Path) -> NDArray[np.float32]:
    return np.concatenate(list(sound(path)))[:, 0]


def found(home: Path, path: Path) -> list[dict[str, Any]]:
    matches: list[dict[str, Any]] = sordino("match", path, "--home", home, "--json").line["matches"]
    return matches


@pytest.fixture
def song(registered: Path) -> str:
    return work_id(registered, "song")


# --- remedy ----------------------------------------------------------------------------------------------------------


def test_several_measures_in_one_go(registered: Path, sources: Sources, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    ran = remedy(registered, sources.clip, out, "blank:0:25-0:27 mute:8-22 trim:28-29")
    assert (ran.status, ran.stderr, set(ran.line)) == (0, "", LINE)
    assert [measure["kind"] for measure in ran.line["measures"]] == ["blank", "mute", "trim"]
    assert ran.line["measures"][1]["spans"] == [{"start_s": 8.0, "end_s": 22.0}]
    assert ran.line["residual_s"] <= 1.0  # spans are right to within a second
    assert ran.line["collateral_s"] == pytest.approx(14 + 2 + 2, abs=0.01)
    assert not heard(out)[9 * RATE : 21 * RATE].any()
    assert found(registered, out) == []


def test_the_registered_song_is_erased_wherever_it_is_found_and_the_voice_stays(
    registered: Path, sources: Sources, tmp_path: Path, song: str
) -> None:
    out = tmp_path / "out.mp4"
    ran = remedy(registered, sources.clip, out, f"erase:{song}")
    assert ran.status == 0, ran
    (measure,) = ran.line["measures"]
    assert (measure["kind"], measure["work_id"]) == ("erase_music", song)
    assert measure["spans"][0]["start_s"] == pytest.approx(8, abs=1)
    assert measure["spans"][-1]["end_s"] == pytest.approx(22, abs=1)
    assert all(erased["ok"] and erased["suppression_db"] > 10 for erased in measure["erased"])
    assert (ran.line["residual_s"], ran.line["collateral_s"]) == (0.0, 0.0)
    voice = synth.speech_like(30, 3)
    before, after = (np.corrcoef(heard(p)[9 * RATE : 21 * RATE], voice[9 * RATE : 21 * RATE])[0, 1] for p in (
        sources.clip, out))  # fmt: skip
    assert before < 0.93
    assert after > 0.98
    assert found(registered, out) == []


def test_a_part_of_the_song_is_erased_where_a_span_is_asked_for(
    registered: Path, sources: Sources, tmp_path: Path, song: str
) -> None:
    ran = remedy(registered, sources.clip, tmp_path / "out.mp4", f"erase:{song}:12-18")
    assert ran.status == 0, ran
    assert ran.line["measures"][0]["spans"] == [{"start_s": 12.0, "end_s": 18.0}]
    assert ran.line["residual_s"] == pytest.approx(8, abs=1)


def test_the_song_is_replaced_by_another_and_the_voice_kept(
    registered: Path, sources: Sources, tmp_path: Path, song: str
) -> None:
    other, out = work_id(registered, "other song"), tmp_path / "out.wav"
    ran = remedy(registered, sources.clip, out, f"replace:{song}:{other}")
    assert ran.status == 0, ran
    assert ran.line["measures"][0]["replaced_by"] == other
    assert {match["work_id"] for match in found(registered, out)} == {other}
    voice = synth.speech_like(30, 3)
    assert np.corrcoef(heard(out)[9 * RATE : 21 * RATE], voice[9 * RATE : 21 * RATE])[0, 1] > 0.8


def test_a_film_that_is_shown_is_found_no_more_once_it_is_blurred(
    registered: Path, sources: Sources, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    assert found(registered, sources.replay)
    ran = remedy(registered, sources.replay, out, "blur:5-19")
    assert (ran.status, ran.line["residual_s"]) == (0, 0.0), ran
    assert ran.line["collateral_s"] == pytest.approx(2, abs=1)  # 14 s are hidden, the film takes 12
    assert found(registered, out) == []


def test_a_song_that_cannot_be_erased_is_told_and_counts_as_left(
    registered: Path, sources: Sources, tmp_path: Path, song: str
) -> None:
    stretched = synth.changed(part(sources.song, 10, 30), tempo=1.05)
    source = synth.wav(tmp_path / "stretched.wav", stretched)
    ran = remedy(registered, source, tmp_path / "out.wav", f"erase:{song}")
    assert (ran.status, ran.line["error"]["code"]) == (3, "erase_failed")
    assert "could not be erased" in ran.line["error"]["message"]
    assert [erased["ok"] for erased in ran.line["measures"][0]["erased"]] == [False]
    assert ran.line["residual_s"] == pytest.approx(len(stretched) / RATE, abs=2)
    assert np.abs(heard(tmp_path / "out.wav") - heard(source)).max() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "status", "culprit"),
    [
        ("CLIP OUT", 2, "--measure"),
        ("CLIP OUT --measure mute:1-nan", 2, "mute:1-nan"),
        ("CLIP OUT --measure mute:5-4", 2, "ends before"),
        ("CLIP OUT --measure nonsense:1-2", 2, "nonsense"),
        ("CLIP OUT --measure remove", 2, "remove"),
        ("CLIP OUT --measure mute:1-5 --measure erase:W1:2-3", 2, "overlap"),
        ("CLIP OUT --measure mute:31-32", 4, "31-32"),
        ("CLIP OUT --measure mute:10-40", 4, "10-40"),
        ("CLIP OUT --measure erase:Wnone", 4, "Wnone"),
        ("CLIP OUT --measure erase:OTHER", 4, "is not heard"),
        ("CLIP OUT --measure erase:SONG:1-5", 4, "is not heard in 0:01-0:05"),
        ("CLIP OUT --measure replace:SONG:Wnone", 4, "Wnone"),
        ("CLIP OUT --measure replace:SONG:FILM", 4, "no sound"),
        ("CLIP OUT --measure mute:9-10 --measure erase:SONG", 4, "overlap"),
        ("CLIP OUT.xyz --measure mute:1-2", 4, ".xyz"),
        ("CLIP CLIP --measure mute:1-2 --overwrite", 4, "the output is the input"),
        ("CLIP THERE --measure mute:1-2", 4, "--overwrite"),
        ("CLIP none/OUT --measure mute:1-2", 4, "no such folder"),
        ("MISSING OUT --measure mute:1-2", 4, "missing.mp4"),
        ("SPEECH OUT --measure blank:1-2", 4, "no pictures"),
    ],
)
def test_what_can_not_be_is_one_line_and_leaves_nothing(
    registered: Path, sources: Sources, tmp_path: Path, arguments: str, status: int, culprit: str
) -> None:
    (tmp_path / "there.mp4").write_text("mine")
    names = {"CLIP": sources.clip, "SPEECH": sources.speech, "MISSING": tmp_path / "missing.mp4",
             "OUT.xyz": tmp_path / "out.xyz", "none/OUT": tmp_path / "none" / "out.mp4", "OUT": tmp_path / "out.mp4",
             "THERE": tmp_path / "there.mp4"}  # fmt: skip
    works = {"SONG": "song", "OTHER": "other song", "FILM": "film"}
    for word, title in works.items():
        if word in arguments:
            arguments = arguments.replace(word, work_id(registered, title))
    words = [names.get(word, word) for word in shlex.split(arguments)]
    ran = sordino("remedy", *words, "--home", registered, "--json")
    assert ran.status == status, ran
    told = ran.line["error"]["message"] if status == 4 else " ".join(ran.stderr.replace("│", " ").split())
    assert culprit in told
    assert "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there.mp4"]
    assert (tmp_path / "there.mp4").read_text() == "mine"


def test_a_song_whose_media_is_gone_can_not_be_erased(home: Path, sources: Sources, tmp_path: Path, song: str) -> None:
    reference = sordino("works", "show", song, "--home", home, "--json").line["references"][0]
    (home / "media" / reference["sha256"]).unlink()
    for measure in (f"erase:{song}", f"replace:{work_id(home, 'other song')}:{song}"):
        ran = remedy(home, sources.clip, tmp_path / "out.mp4", measure)
        assert (ran.status, ran.line["error"]["code"]) == (4, "reference_media_gone")
        assert reference["reference_id"] in ran.line["error"]["message"]
    assert not (tmp_path / "out.mp4").exists()


# --- check --remedy --------------------------------------------------------------------------------------------------


def test_check_renders_what_it_recommends(registered: Path, sources: Sources, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    ran = sordino("check", sources.clip, "--remedy", out, "--home", registered, "--json")
    assert ran.status == 0, ran
    kinds = [measure["kind"] for measure in ran.line["recommendation"]["measures"]]
    assert [measure["kind"] for measure in ran.line["remedy"]["measures"]] == kinds
    assert ran.line["remedy"]["out"] == str(out)
    assert (
        sordino("check", out, "--home", registered, "--json").line["recommendation"]["measures"][0]["kind"] == "allow"
    )
    again = sordino("check", sources.clip, "--remedy", out, "--home", registered, "--json")
    assert (again.status, again.line["error"]["code"], again.line["remedy"]) == (3, "exists", None)
    assert again.line["recommendation"]["measures"]


def test_check_renders_several_into_a_folder_and_only_what_has_to_change(
    registered: Path, sources: Sources, tmp_path: Path
) -> None:
    out = tmp_path / "a" / "b"
    ran = sordino("check", sources.replay, sources.speech, "--remedy", out, "--home", registered, "--json")
    assert ran.status == 0, ran
    replay, speech = ran.lines
    assert replay["remedy"]["out"] == str(out / "replay.mp4")
    assert speech["remedy"] == {
        "out": None,
        "measures": [],
        "why": "nothing is rendered: nothing has to be done to the file itself",
    }
    assert [path.name for path in out.iterdir()] == ["replay.mp4"]
    assert [measure["kind"] for measure in replay["remedy"]["measures"]] == ["blur_region"]
    assert found(registered, out / "replay.mp4") == []


def test_check_renders_nothing_where_a_human_has_to_decide(home: Path, sources: Sources, tmp_path: Path) -> None:
    assert sordino("works", "add", sources.folder / "song.wav", "--holder", "Red Label", "--home", home).status == 0
    out = tmp_path / "out.mp4"
    ran = sordino("check", sources.clip, "--remedy", out, "--home", home, "--json")
    assert ran.line["recommendation"]["automatic"] is False
    assert ran.line["remedy"] == {"out": None, "measures": [], "why": "nothing is rendered: a human has to decide"}
    assert not out.exists()
    text = sordino("check", sources.clip, "--remedy", out, "--home", home)
    assert "nothing is rendered: a human has to decide" in text.stdout
