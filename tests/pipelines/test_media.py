"""Beeps and flashes are planted at known times, decoded from every kind of container, and looked for there."""

import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

from sordino.pipelines.media import Decoding, Frame, Limits, MediaError, Pcm, decode, ffmpeg_version
from tests import synth

FPS = 25
PLANTED_S = (1.0, 3.0, 4.2)  # of both beeps and flashes
SECONDS = 5
FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-g", "10")


def decoded(path: Path, **options: object) -> tuple[Decoding, list[Pcm], list[Frame]]:
    with decode(path, **options) as decoding:  # type: ignore[arg-type]
        items = list(decoding)
    return decoding, [i for i in items if isinstance(i, Pcm)], [i for i in items if isinstance(i, Frame)]


def sound(chunks: list[Pcm]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int16), *(chunk.samples for chunk in chunks)])


def onsets_s(chunks: list[Pcm], rate: int = 16_000) -> list[float]:
    """Where sound begins after at least 0.3 s of near silence."""
    loud = np.flatnonzero(np.abs(sound(chunks).astype(np.int32)) > 3000)
    first = np.diff(loud, prepend=-rate) > 0.3 * rate
    return [float(at) / rate for at in loud[first]]


def flashes_s(frames: list[Frame]) -> list[float]:
    bright = [frame.luma.mean() > 150 for frame in frames]
    return [f.time_s for f, now, before in zip(frames, bright, [False, *bright], strict=False) if now and not before]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def planted(path: Path, *options: str, audio: bool = True, video: bool = True) -> Path:
    """Make a clip once a module."""
    if not path.exists():
        samples = synth.beeps(SECONDS, PLANTED_S) if audio else None
        frames = synth.flashes(SECONDS, PLANTED_S, fps=FPS) if video else None
        synth.clip(path, samples, frames, *(("-ar", "48000") if audio else ()), *options, fps=FPS)
    return path


CONTAINERS = [
    pytest.param("a.ts", (), 1.4, id="MPEG-TS"),
    pytest.param("b.ts", ("-output_ts_offset", "1000"), 1001.4, id="MPEG-TS that starts at 1000 s"),
    pytest.param("a.mp4", (), 0.0, id="MP4"),
    pytest.param("fragmented.mp4", FRAGMENTS, 0.0, id="fragmented MP4"),
    pytest.param("b.mp4", ("-output_ts_offset", "1000"), 1000.0, id="MP4 that starts at 1000 s"),
    pytest.param("bframes.mp4", ("-bf", "3", "-preset", "veryfast"), 0.0, id="MP4 with B-frames"),
    pytest.param("a.mov", (), 0.0, id="QuickTime"),
    pytest.param("a.3gp", ("-ar", "16000"), 0.0, id="3GP"),
    pytest.param("a.mkv", (), 0.0, id="Matroska"),
    pytest.param("a.webm", (), 0.0, id="WebM"),
    pytest.param("a.flv", ("-ar", "44100"), 0.0, id="FLV"),
    pytest.param("a.avi", ("-c:v", "mpeg4", "-c:a", "pcm_s16le"), 0.0, id="AVI"),
]


@pytest.mark.parametrize(("name", "options", "start_s"), CONTAINERS)
def test_sound_and_pictures_stand_where_they_were_planted(
    clips: Path, name: str, options: tuple[str, ...], start_s: float
) -> None:
    decoding, chunks, frames = decoded(planted(clips / name, *options), frames_per_s=FPS)
    assert onsets_s(chunks) == pytest.approx(PLANTED_S, abs=0.05)
    assert flashes_s(frames) == pytest.approx(PLANTED_S, abs=1 / FPS)
    assert np.subtract(onsets_s(chunks), flashes_s(frames)) == pytest.approx(0, abs=0.03)
    assert decoding.audio_s == pytest.approx(SECONDS, abs=0.15)
    assert decoding.video_s == pytest.approx(SECONDS, abs=0.1)
    assert decoding.start_s == pytest.approx(start_s, abs=0.1)
    assert decoding.warnings == ()


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.aac", "a.flac", "a.ogg", "a.aiff", "a.m4a", "a.mka", "sound.ts"])
def test_sound_without_pictures(clips: Path, name: str) -> None:
    decoding, chunks, frames = decoded(planted(clips / name, "-vn", video=False))
    assert onsets_s(chunks) == pytest.approx(PLANTED_S, abs=0.05)
    assert frames == []
    assert decoding.video_s == 0
    assert len(sound(chunks)) == round(decoding.audio_s * 16_000)


@pytest.mark.parametrize("name", ["silent.mp4", "silent.ts", "silent.webm"])
def test_pictures_without_sound(clips: Path, name: str) -> None:
    decoding, chunks, frames = decoded(planted(clips / name, audio=False), frames_per_s=FPS)
    assert flashes_s(frames) == pytest.approx(PLANTED_S, abs=1 / FPS)
    assert chunks == []
    assert decoding.audio_s == 0


def test_chunks_follow_each_other_without_gaps(clips: Path) -> None:
    _, chunks, _ = decoded(planted(clips / "a.ts"), sample_rate=8000)
    ends = np.cumsum([len(chunk.samples) for chunk in chunks]) / 8000
    assert [chunk.start_s for chunk in chunks] == pytest.approx([0, *ends[:-1]])
    assert onsets_s(chunks, 8000) == pytest.approx(PLANTED_S, abs=0.05)


@pytest.mark.parametrize("only", ["audio", "video"])
def test_only_what_is_wanted_is_decoded(clips: Path, only: str) -> None:
    path = planted(clips / "a.mp4")
    _, chunks, frames = decoded(path, audio=only == "audio", video=only == "video")
    assert (bool(chunks), bool(frames)) == (only == "audio", only == "video")


@pytest.mark.parametrize("frames_per_s", [0.5, 1, 2, 5])
def test_frames_come_at_most_so_often(clips: Path, frames_per_s: float) -> None:
    _, _, frames = decoded(planted(clips / "a.mkv"), frames_per_s=frames_per_s)
    gaps = np.diff([frame.time_s for frame in frames])
    assert len(frames) >= SECONDS * frames_per_s - 1
    assert gaps.min() >= 1 / frames_per_s - 0.002
    assert gaps.max() <= 1 / frames_per_s + 1 / FPS + 0.002


def test_variable_frame_rate_keeps_true_times(clips: Path) -> None:
    kept_s = [k / FPS for k in range(SECONDS * FPS) if k < 10 or k == 25 or 60 <= k < 80 or k == 105 or k == 106]
    numbers = "+".join(f"eq(n,{round(at * FPS)})" for at in kept_s)
    path = planted(clips / "vfr.mkv", "-vf", f"select='{numbers}'", "-fps_mode", "vfr", audio=False)
    _, _, frames = decoded(path, frames_per_s=60)
    assert [frame.time_s for frame in frames] == pytest.approx(kept_s, abs=0.001)
    assert flashes_s(frames) == pytest.approx(PLANTED_S, abs=0.001)


def test_one_frame(clips: Path) -> None:
    path = synth.clip(clips / "one.mp4", None, synth.pictures(1, 0)[:1])
    decoding, _, frames = decoded(path)
    assert [frame.time_s for frame in frames] == [0.0]
    assert decoding.video_s == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("quarters", "corner"),
    [(0, (0, 0)), (1, (0, -1)), (2, (-1, -1)), (3, (-1, 0))],
    ids=["upright", "a quarter turn", "upside down", "three quarters"],
)
def test_rotated_phone_video_comes_upright(clips: Path, quarters: int, corner: tuple[int, int]) -> None:
    frames = np.full((5, 180, 320), 16, np.uint8)
    frames[:, :45, :80] = 235  # top left, as the sensor saw it
    flat = synth.clip(clips / "flat.mp4", None, frames)
    luma = decoded(synth.turned(clips / "turned.mp4", flat, quarters))[2][0].luma
    assert luma.shape == ((320, 180) if quarters % 2 else (180, 320))
    bright = {(y, x): int(luma[y, x]) for y in (0, -1) for x in (0, -1)}
    assert max(bright, key=lambda at: bright[at]) == corner


def test_luminance_has_its_full_range_and_pixels_are_square(clips: Path) -> None:
    frames = np.zeros((5, 288, 352), np.uint8)
    frames[:, :, 176:] = 255
    path = synth.clip(clips / "pal.mp4", None, frames, "-vf", "setsar=16/11")  # shown at 16:9
    luma = decoded(path)[2][0].luma
    assert luma.shape == (198, 352)
    assert luma[:, :166].max() <= 3
    assert luma[:, 186:].min() >= 252


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        pytest.param((640, 360), 320, (180, 320), id="shrunk"),
        pytest.param((360, 640), 320, (320, 180), id="shrunk, upright"),
        pytest.param((640, 360), 1280, (360, 640), id="never enlarged"),
        pytest.param((1000, 2), 100, (1, 100), id="a line"),
    ],
)
def test_frames_have_the_side_asked_for(
    clips: Path, size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    frames = np.full((3, size[1], size[0]), 128, np.uint8)
    path = synth.clip(clips / f"{size[0]}x{size[1]}.mp4", None, frames)
    assert decoded(path, frame_side=side)[2][0].luma.shape == expected


def test_late_sound_is_placed_late(clips: Path) -> None:
    picture = planted(clips / "silent.mp4", audio=False)
    beep = synth.wav(clips / "late.wav", synth.beeps(2, [0.5]))
    synth.ffmpeg("-i", picture, "-itsoffset", "2", "-i", beep, "-c:v", "copy", path := clips / "late.mkv")
    _, chunks, frames = decoded(path, frames_per_s=FPS)
    assert chunks[0].start_s == 0
    assert onsets_s(chunks) == pytest.approx([2.5], abs=0.05)
    assert flashes_s(frames) == pytest.approx(PLANTED_S, abs=1 / FPS)


def test_a_gap_in_the_sound_is_silence(clips: Path) -> None:
    path = planted(clips / "gap.mkv", "-af", "aselect='not(between(t,1.5,3.5))'", "-c:a", "pcm_s16le")
    decoding, chunks, _ = decoded(path)
    assert onsets_s(chunks) == pytest.approx([1.0, 4.2], abs=0.05)
    assert not sound(chunks)[int(1.7 * 16_000) : int(3.4 * 16_000)].any()
    assert decoding.audio_s == pytest.approx(SECONDS, abs=0.1)


def test_another_resolution_in_mid_stream(clips: Path) -> None:
    small = synth.clip(clips / "small.ts", None, synth.flashes(2, [1.0], fps=FPS), fps=FPS)
    large = synth.clip(
        clips / "large.ts",
        None,
        synth.flashes(2, [1.0], fps=FPS, width=96, height=96),
        "-output_ts_offset",
        "2",
        fps=FPS,
    )
    path = clips / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    _, _, frames = decoded(path, frames_per_s=FPS)
    assert {frame.luma.shape for frame in frames} == {(48, 64)}
    assert flashes_s(frames) == pytest.approx([1.0, 3.0], abs=1 / FPS)


def test_very_short_and_silent_sound(clips: Path) -> None:
    short, chunks, _ = decoded(synth.wav(clips / "short.wav", synth.music(0.2, 1)))
    assert short.audio_s == pytest.approx(0.2)
    assert np.abs(sound(chunks)).max() > 10_000
    silent, chunks, _ = decoded(synth.wav(clips / "silence.wav", np.zeros(16_000, np.float32)))
    assert silent.audio_s == pytest.approx(1.0)
    assert not sound(chunks).any()


def test_a_cover_picture_is_no_video(clips: Path) -> None:
    cover = synth.picture(clips / "cover.png")
    tune = synth.clip(clips / "tune.mp3", synth.music(1, 1))
    synth.ffmpeg("-i", tune, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", path := clips / "covered.mp3")
    decoding, _, frames = decoded(path)
    assert frames == []
    assert decoding.audio_s == pytest.approx(1.0, abs=0.1)


def test_names_that_mean_something_to_ffmpeg_are_just_names(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    original = synth.wav(clips / "plain.wav", synth.music(0.2, 1))
    for name in ("http:x.wav", "-i", "%03d.png", "concat:plain.wav|plain.wav", "file,name:'.wav", "ä ö\n.wav"):
        shutil.copy(original, name)
        assert decoded(Path(name))[0].audio_s == pytest.approx(0.2), name


@pytest.mark.parametrize("keyframes", [False, True])
def test_an_abandoned_decoding_leaves_no_process(clips: Path, keyframes: bool) -> None:
    path = planted(clips / "a.ts")
    before = set(psutil.Process().children())
    with decode(path, frames_per_s=FPS, keyframes=keyframes) as decoding:
        next(decoding)
        assert set(psutil.Process().children()) > before
    assert set(psutil.Process().children()) <= before


@pytest.mark.parametrize("keyframes", [False, True])
def test_no_open_files_are_left(clips: Path, keyframes: bool) -> None:
    path, bad = planted(clips / "a.ts"), synth.text(clips / "text.mp4")
    before = psutil.Process().num_fds()
    for _ in range(3):
        decoded(path, keyframes=keyframes)
        with pytest.raises(MediaError):
            decoded(bad, keyframes=keyframes)
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize(
    "options",
    [
        {"sample_rate": 0},
        {"frames_per_s": 0},
        {"audio": False, "video": False},
        {"frame_side": 15},
        {"frame_side": 1281},
    ],
)
def test_requests_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="can't decode to"):
        decode("any.mp4", limits=Limits(), **options)  # type: ignore[arg-type]


def test_the_version_is_known() -> None:
    assert ffmpeg_version()[0].isdigit() or ffmpeg_version().startswith("N-")


def test_time_begins_with_the_file_also_where_only_one_kind_is_wanted(tmp_path: Path) -> None:
    """MPEG-TS whose sound begins earlier than its pictures: ffmpeg lets time begin with what is read."""
    both = synth.clip(tmp_path / "both.mp4", synth.beeps(4, [2]), synth.flashes(4, [2], fps=25), fps=25)
    source = tmp_path / "later.ts"
    later = ("-itsoffset", "0.8", "-i", both, "-i", both, "-map", "0:v", "-map", "1:a")
    synth.ffmpeg(*later, "-c", "copy", source)
    times: dict[bool, list[float]] = {}
    for audio in (True, False):
        with decode(source, frames_per_s=60, audio=audio) as decoding:
            times[audio] = [item.time_s for item in decoding if isinstance(item, Frame)]
    assert times[True][0] > 0.8
    assert times[False] == times[True]
