"""Media in, matches out: planted works are found where they are, the rest is told as it is."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match, Span
from sordino.pipelines import analyse as module
from sordino.pipelines.analyse import analyse, reference
from sordino.pipelines.media import Decoding, Limits, MediaError, decode
from tests import synth
from tests.sample_home import Sources, part, under


@pytest.fixture(scope="module")
def catalogue(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    opened = Catalogue.open(tmp_path_factory.mktemp("catalogue"))
    for name in ("song.wav", "other song.wav", "film.mp4"):
        prints = reference(sources.folder / name, opened)
        opened.add(name, prints.audio, prints.video)
    opened.save()
    return opened


def only(matches: tuple[Match, ...]) -> Match:
    (match,) = matches
    return match


def at(match: Match, query: tuple[float, float], start_s: float) -> bool:
    """Whether both ends are right, in query and reference, to within a second."""
    ends = (match.query.start_s, match.query.end_s, match.reference.start_s, match.reference.end_s)
    truth = (*query, start_s, start_s + query[1] - query[0])
    return all(abs(one - other) <= 1.0 for one, other in zip(ends, truth, strict=True))


def test_music_and_pictures_at_once(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    sound = under(synth.speech_like(24, 4), part(sources.song, 15, 27), 3, -3)
    shown = np.concatenate([synth.pictures(8, 31), sources.film[50:150], synth.pictures(6, 32)])
    report = analyse(synth.clip(tmp_path / "both.mp4", sound, shown), catalogue)
    found = {match.reference_id: match for match in report.matches}
    assert set(found) == {"song.wav", "film.mp4"}
    assert at(found["song.wav"], (3, 15), 15)
    assert at(found["film.mp4"], (8, 18), 5)
    assert (found["song.wav"].track, found["film.mp4"].track) == ("audio", "video")
    assert report.duration_s == pytest.approx(24, abs=0.2)
    assert report.tracks == {"audio", "video"}
    assert report.warnings == ()


@pytest.mark.parametrize("name", ["clip.ts", "clip.mp4", "clip.webm", "clip.mkv", "clip.flv"])
def test_every_container_of_a_live_stream(catalogue: Catalogue, sources: Sources, tmp_path: Path, name: str) -> None:
    shown = np.concatenate([sources.film[100:180], synth.pictures(4, 33)])
    report = analyse(synth.clip(tmp_path / name, part(sources.song, 10, 22), shown), catalogue)
    found = {match.reference_id: match for match in report.matches}
    assert set(found) == {"song.wav", "film.mp4"}
    assert at(found["song.wav"], (0, 12), 10)
    assert at(found["film.mp4"], (0, 8), 10)


def test_a_clock_that_does_not_start_at_zero(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "late.ts"
    synth.clip(path, part(sources.song, 10, 22), sources.film[100:220], "-output_ts_offset", "3600")
    report = analyse(path, catalogue)
    assert report.duration_s == pytest.approx(12, abs=0.2)
    assert {round(match.query.start_s) for match in report.matches} == {0}


@pytest.mark.parametrize("track", ["audio", "video"])
def test_one_track_alone(catalogue: Catalogue, sources: Sources, tmp_path: Path, track: str) -> None:
    if track == "audio":
        report = analyse(synth.wav(tmp_path / "a.wav", part(sources.song, 10, 22)), catalogue)
        assert (report.audio_s, report.video_s) == (12.0, 0.0)
    else:
        report = analyse(synth.clip(tmp_path / "v.mp4", None, sources.film[100:220]), catalogue)
        assert report.audio_s == 0.0
        assert report.video_s == pytest.approx(12, abs=0.2)
    assert report.tracks == {track}
    assert only(report.matches).track == track


def test_pictures_in_a_mirror(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    match = only(
        analyse(synth.clip(tmp_path / "m.mp4", None, sources.film[100:220, :, ::-1].copy()), catalogue).matches
    )
    assert match.mirrored
    assert at(match, (0, 12), 10)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What of the pictures has been decoded, pass by pass."""
    told: list[str] = []

    def spy(*arguments: Any, keyframes: bool, **more: Any) -> Decoding:
        told.append("keyframes" if keyframes else "all")
        return decode(*arguments, keyframes=keyframes, **more)

    monkeypatch.setattr(module, "decode", spy)
    return told


EVERY_SECOND, EVERY_8_S = ("-g", "10"), ("-g", "80", "-sc_threshold", "0")


def test_of_pictures_without_a_work_only_keyframes_are_decoded(
    catalogue: Catalogue, tmp_path: Path, passes: list[str]
) -> None:
    strange = synth.clip(tmp_path / "strange.mp4", None, synth.pictures(10, 41), *EVERY_SECOND)
    assert analyse(strange, catalogue).matches == ()
    assert passes == ["keyframes"]


def test_where_a_keyframe_shows_a_work_all_pictures_are_decoded(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    shown = np.concatenate([synth.pictures(5, 42), sources.film[60:120]])
    match = only(analyse(synth.clip(tmp_path / "copy.mp4", None, shown, *EVERY_SECOND), catalogue).matches)
    assert at(match, (5, 11), 6)
    assert passes == ["keyframes", "all"]


def test_where_keyframes_are_far_apart_all_pictures_are_decoded(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    shown = np.concatenate([synth.pictures(1, 43), sources.film[60:110], synth.pictures(6, 44)])
    match = only(analyse(synth.clip(tmp_path / "sparse.mp4", None, shown, *EVERY_8_S), catalogue).matches)
    assert at(match, (1, 6), 6)
    assert passes == ["keyframes", "all"]


def test_where_a_work_was_seen_just_before_all_pictures_are_decoded(
    catalogue: Catalogue, tmp_path: Path, passes: list[str]
) -> None:
    before = Match("film.mp4", "video", Span(-10, 0), Span(0, 10), 1.0, 0.0, False, None, 50.0, -10.0)
    strange = synth.clip(tmp_path / "strange.mp4", None, synth.pictures(6, 45), *EVERY_SECOND)
    assert analyse(strange, catalogue, [before]).matches == ()
    assert passes == ["keyframes", "all"]


def test_without_registered_pictures_only_keyframes_are_decoded(
    sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    film = synth.clip(tmp_path / "film.mp4", None, sources.film[:60])
    assert analyse(film, Catalogue.open(tmp_path / "empty")).matches == ()
    assert passes == ["keyframes"]


AUDIO_BEFORE = Match("song.wav", "audio", Span(-10, 0), Span(0, 10), 1.0, 0.0, False, None, 50.0, -10.0)
VIDEO_BEFORE = Match("film.mp4", "video", Span(-10, 0), Span(0, 10), 1.0, 0.0, False, None, 50.0, -10.0)


def keyframe_every(seconds: float) -> tuple[str, ...]:
    return "-g", str(round(seconds * synth.FPS)), "-sc_threshold", "0"


@pytest.mark.parametrize(("gap_s", "wanted"), [(2.5, ["keyframes"]), (2.7, ["keyframes", "all"])], ids=str)
def test_as_far_apart_as_those_of_a_live_stream_keyframes_are_enough(
    catalogue: Catalogue, tmp_path: Path, passes: list[str], gap_s: float, wanted: list[str]
) -> None:
    strange = synth.clip(tmp_path / "strange.mp4", None, synth.pictures(9, 47), *keyframe_every(gap_s))
    assert analyse(strange, catalogue).matches == ()
    assert passes == wanted


def test_a_long_end_without_a_keyframe_is_decoded_too(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    shown = np.concatenate([synth.pictures(2, 48), sources.film[60:100]])
    only_at = "-force_key_frames", "0,1,2", "-g", "1000", "-sc_threshold", "0"  # the last shows a copy in no keyframe
    shown[20] = shown[19]
    match = only(analyse(synth.clip(tmp_path / "end.mp4", None, shown, *only_at), catalogue).matches)
    assert at(match, (2, 6), 6)
    assert passes == ["keyframes", "all"]


def test_one_keyframe_that_shows_a_work_is_enough(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    shown = np.concatenate([synth.pictures(3.5, 49), sources.film[120:140], synth.pictures(3, 50)])
    match = only(analyse(synth.clip(tmp_path / "one.mp4", None, shown, *keyframe_every(2)), catalogue).matches)
    assert at(match, (3.5, 5.5), 12)  # the keyframe at 4 s
    assert passes == ["keyframes", "all"]


def test_where_nearly_all_are_keyframes_they_are_decoded_once(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    shown = np.concatenate([synth.pictures(3, 51), sources.film[60:110]])
    copy = synth.clip(tmp_path / "copy.mp4", None, shown, *keyframe_every(0.5))
    match = only(analyse(copy, catalogue, [VIDEO_BEFORE]).matches)
    assert at(match, (3, 8), 6)
    assert passes == ["keyframes"]


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [([], 1), ([AUDIO_BEFORE], 1), ([AUDIO_BEFORE, VIDEO_BEFORE], 2)],
    ids=["nothing", "a song", "a song and a film"],
)
def test_only_a_film_that_was_seen_before_has_pictures_looked_at(
    catalogue: Catalogue, tmp_path: Path, passes: list[str], expected: list[Match], wanted: int
) -> None:
    strange = synth.clip(tmp_path / "strange.mp4", None, synth.pictures(6, 53), *EVERY_SECOND)
    assert analyse(strange, catalogue, expected).matches == ()
    assert passes == ["keyframes", "all"][:wanted]


@pytest.mark.parametrize("options", [EVERY_SECOND, EVERY_8_S], ids=["near", "far apart"])
def test_where_only_sounds_are_registered_pictures_are_not_looked_at_whatever_was_expected(
    sources: Sources, tmp_path: Path, passes: list[str], options: tuple[str, ...]
) -> None:
    opened = Catalogue.open(tmp_path / "sounds")
    opened.add("song.wav", reference(sources.folder / "song.wav", opened).audio, None)
    opened.save()
    passes.clear()
    film = synth.clip(tmp_path / "film.mp4", part(sources.song, 10, 22), sources.film[:120], *options)
    match = only(analyse(film, opened, [VIDEO_BEFORE]).matches)
    assert match.track == "audio"
    assert passes == ["keyframes"]


def test_sound_alone_has_no_pictures_to_look_at(
    catalogue: Catalogue, sources: Sources, tmp_path: Path, passes: list[str]
) -> None:
    analyse(synth.wav(tmp_path / "a.wav", part(sources.song, 10, 16)), catalogue, [VIDEO_BEFORE])
    assert passes == ["keyframes"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How media was decoded, pass by pass."""
    told: list[dict[str, Any]] = []

    def spy(*arguments: Any, **how: Any) -> Decoding:
        told.append(how)
        return decode(*arguments, **how)

    monkeypatch.setattr(module, "decode", spy)
    return told


@pytest.mark.parametrize(
    ("long_s", "rate"), [(120.0, 2.0 * module.CLOSELY), (5.0, 2.0)], ids=["a segment", "longer than is held"]
)
def test_all_pictures_are_taken_closely_and_without_the_sound_unless_they_are_too_many(
    catalogue: Catalogue,
    sources: Sources,
    tmp_path: Path,
    asked: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    long_s: float,
    rate: float,
) -> None:
    monkeypatch.setattr(module, "LONG_S", long_s)
    copy = synth.clip(tmp_path / "copy.mp4", synth.speech_like(6, 5), sources.film[60:120], *EVERY_SECOND)
    assert at(only(analyse(copy, catalogue).matches), (0, 6), 6)
    assert module.CLOSELY > 1
    glance, all_pictures = asked
    assert (glance["keyframes"], glance["audio"], glance["frames_per_s"]) == (True, True, 2.0)
    assert (all_pictures["keyframes"], all_pictures["audio"], all_pictures["frames_per_s"]) == (False, False, rate)


@pytest.mark.parametrize(
    ("hot", "side"),
    [((), 640), (("song.wav",), 640), (("film.mp4",), 1280)],
    ids=["nothing is hot", "a song is hot", "a film is hot"],
)
def test_pictures_are_larger_only_where_pictures_are_hot(
    sources: Sources, tmp_path: Path, asked: list[dict[str, Any]], hot: tuple[str, ...], side: int
) -> None:
    opened = Catalogue.open(tmp_path / "catalogue")
    for name in ("song.wav", "film.mp4"):
        prints = reference(sources.folder / name, opened)
        opened.add(name, prints.audio, prints.video, hot=name in hot)
    opened.save()
    asked.clear()
    copy = synth.clip(tmp_path / "copy.mp4", None, sources.film[60:120], *EVERY_SECOND)
    assert at(only(analyse(copy, opened).matches), (0, 6), 6)
    assert [how["frame_side"] for how in asked] == [side, side]
    asked.clear()
    assert len(reference(copy, opened).video.times_s) > 0
    assert [how["frame_side"] for how in asked] == [320]  # a reference is as it is, whatever else is hot


def test_a_very_small_inset_of_a_hot_film_is_found_in_a_file(sources: Sources, tmp_path: Path) -> None:
    shown = np.repeat(synth.pictures(6, 62, fps=1, width=1280, height=720), synth.FPS, axis=0)
    for k, picture in enumerate(sources.film[120:180]):
        shown[k, 200:281, 700:844] = cv2.resize(picture, (144, 81), interpolation=cv2.INTER_AREA)
    copy = synth.clip(tmp_path / "copy.mp4", None, shown, "-crf", "18", *EVERY_SECOND)
    found = {}
    for hot in (False, True):
        opened = Catalogue.open(tmp_path / f"hot {hot}")
        opened.add("film.mp4", None, reference(sources.folder / "film.mp4", opened).video, hot=hot)
        opened.save()
        found[hot] = analyse(copy, opened).matches
    assert found[False] == ()
    assert at(only(found[True]), (0, 6), 12)


def test_an_inset_is_found_with_its_region(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    shown = np.repeat(synth.pictures(1, 46, width=640, height=360)[:1], 100, axis=0)
    for k, picture in enumerate(sources.film[100:200]):
        shown[k, 150:330, 290:610] = picture
    match = only(analyse(synth.clip(tmp_path / "inset.mp4", None, shown, *EVERY_SECOND), catalogue).matches)
    assert at(match, (0, 10), 10)
    assert match.region is not None
    region = (match.region.x, match.region.y, match.region.w, match.region.h)
    assert region == pytest.approx((290 / 640, 150 / 360, 320 / 640, 180 / 360), abs=0.03)


def test_a_turned_phone_video_is_seen_upright(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    lying = synth.clip(tmp_path / "lying.mp4", None, np.rot90(sources.film[100:220], 1, (1, 2)).copy())
    match = only(analyse(synth.turned(tmp_path / "turned.mp4", lying, 1), catalogue).matches)
    assert match.reference_id == "film.mp4"
    assert not match.mirrored


@pytest.mark.parametrize("seconds", [0.05, 0.2, 1.0])
def test_sound_too_short_for_anything(catalogue: Catalogue, sources: Sources, tmp_path: Path, seconds: float) -> None:
    path = synth.wav(tmp_path / "short.wav", part(sources.song, 5, 5 + seconds))
    report = analyse(path, catalogue)
    assert report.matches == ()
    assert report.duration_s == pytest.approx(seconds, abs=0.01)
    assert reference(path, catalogue).chromaprint is None


@pytest.mark.parametrize("level", [0.0, 0.5], ids=["digital silence", "a constant"])
def test_sound_without_anything_in_it(catalogue: Catalogue, tmp_path: Path, level: float) -> None:
    path = synth.wav(tmp_path / "flat.wav", np.full(20 * synth.RATE, level, np.float32))
    assert analyse(path, catalogue).matches == ()
    prints = reference(path, catalogue)
    assert prints.looks_like == ()
    assert len(prints.audio.frames) == 0


def test_pictures_without_anything_in_them(catalogue: Catalogue, tmp_path: Path) -> None:
    black = synth.clip(tmp_path / "black.mp4", None, np.zeros((100, 90, 160), np.uint8))
    assert analyse(black, catalogue).matches == ()


def test_one_frame(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    report = analyse(synth.clip(tmp_path / "one.mp4", None, sources.film[:1]), catalogue)
    assert report.matches == ()
    assert report.tracks == {"video"}


def test_what_looks_like_a_new_reference(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    again = tmp_path / "again.mp3"
    synth.ffmpeg("-i", sources.folder / "song.wav", "-b:a", "96k", again)
    assert {match.reference_id for match in reference(again, catalogue).looks_like} == {"song.wav"}
    assert reference(sources.speech, catalogue).looks_like == ()


def test_limits_and_names_of_bad_files(catalogue: Catalogue, sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"song\.wav") as caught:
        analyse(sources.folder / "song.wav", catalogue, limits=Limits(duration_s=10))
    assert caught.value.code == "too_long"
    for call in (analyse, reference):
        with pytest.raises(MediaError, match=r"letter\.mp4"):
            call(synth.text(tmp_path / "letter.mp4"), catalogue)
