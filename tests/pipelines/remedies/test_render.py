"""What is rendered: heard and seen again, and compared with what was planted."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints.model import Region, Span
from sordino.pipelines.media import Frame, Limits, decode
from sordino.pipelines.remedies.containers import CONTAINERS
from sordino.pipelines.remedies.plan import Blur, Plan
from sordino.pipelines.remedies.render import look, render
from sordino.pipelines.sound import sound
from tests import synth
from tests.synth import RATE

LIMITS = Limits()
SECONDS = 8
LOWER_RIGHT = Region(0.5, 0.5, 0.4, 0.4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("render")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    """8 s of babble and pictures."""
    return synth.clip(folder / "clip.mp4", synth.speech_like(SECONDS, 1), synth.pictures(SECONDS, 2))


def heard(path: Path) -> NDArray[np.float32]:
    """All of the sound, float32[n, channels]."""
    return np.concatenate(list(sound(path)))


def seen(path: Path) -> list[Frame]:
    with decode(path, frames_per_s=60) as decoding:
        return [item for item in decoding if isinstance(item, Frame)]


def packets(path: Path, kind: str) -> bytes:
    """A hash over the packets of a track."""
    return synth.ffmpeg("-i", path, "-map", f"0:{kind}", "-c", "copy", "-f", "streamhash", "-")


def loudness(samples: NDArray[np.float32], start_s: float, end_s: float, rate: int = RATE) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * rate) : round(end_s * rate)] ** 2)))


# --- only what changes is encoded again ------------------------------------------------------------------------------


def test_pictures_are_copied_bit_for_bit_where_only_the_sound_changes(clip: Path, folder: Path) -> None:
    done = render(clip, folder / "muted.mp4", Plan(mute=(Span(2, 4),)))
    assert done.copied == {"Video"}
    assert packets(done.out, "v") == packets(clip, "v")
    assert packets(done.out, "a") != packets(clip, "a")
    assert [f.time_s for f in seen(done.out)] == [f.time_s for f in seen(clip)]


def test_sound_is_copied_bit_for_bit_where_only_the_pictures_change(clip: Path, folder: Path) -> None:
    done = render(clip, folder / "blank.mp4", Plan(blank=(Span(2, 4),)))
    assert done.copied == {"Audio"}
    assert packets(done.out, "a") == packets(clip, "a")
    assert packets(done.out, "v") != packets(clip, "v")


def test_trimming_encodes_both_again(clip: Path, folder: Path) -> None:
    assert render(clip, folder / "trimmed.mp4", Plan(trim=(Span(2, 4),))).copied == set()


# --- sound -----------------------------------------------------------------------------------------------------------


def test_what_is_muted_is_silent_and_the_rest_is_as_it_was(folder: Path) -> None:
    tone = synth.beeps(SECONDS, [0], length_s=SECONDS)
    before = heard(synth.wav(folder / "tone.wav", tone))
    done = render(folder / "tone.wav", folder / "tone muted.wav", Plan(mute=(Span(2, 4), Span(3, 5))))
    after = heard(done.out)
    assert len(after) == len(before)
    assert not after[2 * RATE : 5 * RATE].any()
    fade = round(0.03 * RATE)
    assert np.array_equal(after[: 2 * RATE - fade], before[: 2 * RATE - fade])
    assert np.array_equal(after[5 * RATE + fade + 1 :], before[5 * RATE + fade + 1 :])
    assert np.abs(np.diff(after[:, 0])).max() <= np.abs(np.diff(before[:, 0])).max() + 1e-3  # no click


def test_channels_and_sample_rate_stay(folder: Path) -> None:
    rate, n = 48_000, 4 * 48_000
    tones = [np.sin(2 * np.pi * hz * np.arange(n) / rate) for hz in (300, 500, 700, 900, 1100, 1300)]
    raw = (0.3 * np.stack(tones, axis=1)).astype("<f4")
    source = folder / "surround.mkv"
    read = ("-f", "f32le", "-ar", str(rate), "-ac", "6", "-channel_layout", "5.1", "-i", "pipe:0")
    synth.ffmpeg(*read, "-c:a", "flac", source, stdin=raw.tobytes())
    out = render(source, folder / "surround muted.mkv", Plan(mute=(Span(1, 2),))).out
    with sound(out) as decoding:
        after = np.concatenate(list(decoding))
    assert (decoding.sample_rate, decoding.layout, after.shape) == (rate, "5.1", (n, 6))
    assert np.abs(after[3 * rate :] - raw[3 * rate :]).max() < 1e-3  # each channel where it was


# --- pictures --------------------------------------------------------------------------------------------------------


def rendered_frames(clip: Path, out: Path, plan: Plan) -> tuple[list[Frame], list[Frame]]:
    return seen(clip), seen(render(clip, out, plan).out)


def test_what_is_blanked_is_plain_and_dark_and_the_rest_as_it_was(clip: Path, folder: Path) -> None:
    before, after = rendered_frames(clip, folder / "blanked.mp4", Plan(blank=(Span(2, 4),)))
    assert [round(f.time_s, 2) for f in after] == [round(f.time_s, 2) for f in before]
    for old, new in zip(before, after, strict=True):
        if 2 <= old.time_s + 1e-6 < 4:
            assert np.ptp(new.luma.astype(int)) <= 3
            assert new.luma.mean() < 40
        else:
            assert np.abs(new.luma.astype(int) - old.luma).mean() < 4


def test_a_region_is_blurred_beyond_recognition_and_nothing_else(clip: Path, folder: Path) -> None:
    blur = Blur(Span(2, 4), LOWER_RIGHT)
    before, after = rendered_frames(clip, folder / "blurred.mp4", Plan(blur=(blur,)))
    inside = np.zeros(before[0].luma.shape, bool)
    inside[90:162, 160:288] = True
    around = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) == 1
    for old, new in zip(before, after, strict=True):
        change = np.abs(new.luma.astype(int) - old.luma)
        assert change[~around].mean() < 4
        if 2 <= old.time_s + 1e-6 < 4:
            blurred = new.luma[90:162, 160:288].astype(float)
            assert np.abs(np.diff(blurred, axis=0)).max() < 25  # no edge is left
            assert np.abs(np.diff(blurred, axis=1)).max() < 25
        else:
            assert change.mean() < 4


def test_all_of_the_picture_is_blurred_where_no_region_is_given(clip: Path, folder: Path) -> None:
    _, after = rendered_frames(clip, folder / "all blurred.mp4", Plan(blur=(Blur(Span(0, SECONDS)),)))
    for frame in after:
        assert np.abs(np.diff(frame.luma.astype(int), axis=0)).max() < 12


def test_sides_that_are_odd_become_even(folder: Path) -> None:
    source = synth.clip(folder / "odd.mkv", None, synth.pictures(2, 3, width=161, height=91), "-pix_fmt", "yuv444p")
    out = render(source, folder / "odd.mp4", Plan(blank=(Span(0, 1),))).out
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=width,height,pix_fmt", "-of", "csv=p=0", out],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["162,92,yuv420p"]


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (Plan(blank=(Span(5, 7),)), [(0.5, 0), (3.8, 0), (4.8, 1), (5.2, None), (6.8, None), (7.2, 1), (8.5, 2)]),
        (Plan(trim=(Span(5, 9),)), [(0.5, 0), (3.8, 0), (4.8, 1), (5.2, 2), (6.8, 2), (7.5, 2)]),
    ],
)
def test_pictures_that_stand_for_seconds_are_changed_where_the_span_is(
    folder: Path, plan: Plan, wanted: list[tuple[float, int | None]]
) -> None:
    shown = synth.pictures(3, 11, fps=1)
    source = synth.clip(folder / "slides.mp4", None, shown, "-r", "1/4", fps=0.25)
    after = seen(render(source, folder / "slides out.mp4", plan, overwrite=True).out)
    for at_s, number in wanted:
        (*_, frame) = [f for f in after if f.time_s <= at_s]
        distance = [float(np.abs(frame.luma.astype(int) - slide).mean()) for slide in shown]
        assert (int(np.argmin(distance)) if min(distance) < 8 else None) == number, at_s


# --- trimming, and sync ----------------------------------------------------------------------------------------------

MARKS = [0.5, 1.5, 5.5, 6.5]


def marks(path: Path) -> tuple[list[float], list[float]]:
    """Return where beeps begin, and flashes."""
    with sound(path) as decoding:
        samples = np.abs(np.concatenate(list(decoding)).max(axis=1))
        rate = decoding.sample_rate
    loud = np.flatnonzero(samples > 0.3) / rate
    beeps = loud[np.diff(loud, prepend=-1) > 0.2]
    return [float(at) for at in beeps], [f.time_s for f in seen(path) if f.luma.mean() > 128]


@pytest.fixture(scope="module")
def marked(folder: Path) -> Path:
    """Beeps and flashes at the same times, 25 pictures a second."""
    frames = synth.flashes(SECONDS, MARKS, fps=50)
    return synth.clip(folder / "marked.mp4", synth.beeps(SECONDS, MARKS), frames, fps=50)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts", ".flv", ".webm"])
def test_sound_and_pictures_stay_in_sync_across_a_cut(marked: Path, folder: Path, suffix: str) -> None:
    out = render(marked, folder / f"cut{suffix}", Plan(trim=(Span(2, 4.3),))).out
    beeps, flashes = marks(out)
    wanted = [0.5, 1.5, 5.5 - 2.3, 6.5 - 2.3]
    first = beeps[0] - 0.5  # where an encoder's delay has to be sounded, the file begins as much earlier
    assert 0 <= first < 0.065
    assert beeps == pytest.approx([at + first for at in wanted], abs=0.005)
    assert flashes == pytest.approx([at + first for at in wanted], abs=0.011)
    times_s = [f.time_s for f in seen(out)]
    assert np.diff(times_s) == pytest.approx(0.02, abs=0.011)  # continuous
    assert look_s(out) == pytest.approx(SECONDS - 2.3 + first, abs=0.13)


def look_s(path: Path) -> float:
    with decode(path, keyframes=True) as decoding:
        list(decoding)
    return max(decoding.audio_s, decoding.video_s)


@pytest.mark.parametrize("late", ["audio", "video"])
@pytest.mark.parametrize("plan", [Plan(mute=(Span(3, 4),)), Plan(blank=(Span(3, 4),)), Plan(trim=(Span(3, 4),))])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_track_that_begins_later_stays_later(folder: Path, marked: Path, late: str, plan: Plan, suffix: str) -> None:
    delay = ("-itsoffset", "0.7", "-i", marked, "-i", marked, "-map", "0:a" if late == "audio" else "0:v", "-map",
             "1:v" if late == "audio" else "1:a")  # fmt: skip
    source = folder / f"late {late} source{suffix}"
    synth.ffmpeg(*delay, "-c", "copy", source)
    beeps, flashes = marks(source)
    assert abs(beeps[0] - flashes[0]) == pytest.approx(0.7, abs=0.05)
    moved = 1 if plan.trim else 0
    out = render(source, folder / f"late {late}{suffix}", plan, overwrite=True).out
    again, shown = marks(out)
    first = again[0] - beeps[0]
    assert 0 <= first < 0.065
    assert again == pytest.approx([at - moved * (at > 4) + first for at in beeps], abs=0.005)
    assert shown == pytest.approx([at - moved * (at > 4) + first for at in flashes], abs=0.011)


ODD = {
    "avi": ("codecs.avi", "-c:v", "libx264", "-bf", "3", "-c:a", "libmp3lame", "-ar", "44100"),
    "mpeg-2": ("codecs.ts", "-c:v", "mpeg2video", "-c:a", "mp2", "-ar", "48000"),
    "10 bits": ("codecs.mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-c:a", "flac"),
    "opus": ("codecs.webm", "-c:v", "libvpx", "-c:a", "libopus"),
    "fragments": ("codecs.mp4", "-c:v", "copy", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
}


@pytest.mark.parametrize("plan", [Plan(mute=(Span(3, 4),)), Plan(blank=(Span(3, 4),)), Plan(trim=(Span(3, 4),))])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_other_codecs_and_containers_become_an_mp4_in_sync(
    marked: Path, folder: Path, odd: tuple[str, ...], plan: Plan
) -> None:
    name, *options = odd
    source = folder / name
    if not source.exists():
        synth.ffmpeg("-i", marked, *options, source)
    before = np.subtract(*marks(source))
    beeps, flashes = marks(render(source, folder / f"{source.suffix}.mp4", plan, overwrite=True).out)
    assert np.subtract(beeps, flashes) == pytest.approx(before, abs=0.011)
    assert beeps[-1] - beeps[0] == pytest.approx(6 - sum(span.duration_s for span in plan.trim), abs=0.002)


# --- containers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_container_is_written_and_read_again(clip: Path, folder: Path, suffix: str) -> None:
    done = render(clip, folder / f"as{suffix}", Plan(mute=(Span(2, 4),)))
    tracks = look(done.out, limits=LIMITS)
    assert tracks.audio_s == pytest.approx(SECONDS, abs=0.2)
    assert bool(tracks.video_s) == bool(CONTAINERS[suffix].video) == (not done.warnings)
    after = heard(done.out)
    rate = len(after) / tracks.audio_s
    assert loudness(after, 2.2, 3.8, round(rate)) < 0.01 * loudness(after, 4.5, 7, round(rate))


def test_tracks_that_nobody_looks_into_are_left_out_and_that_is_said(clip: Path, folder: Path) -> None:
    lines = folder / "lines.srt"
    lines.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    source = folder / "more tracks.mkv"
    more = ("-i", clip, "-i", lines, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "1:s")
    synth.ffmpeg(*more, "-c:v", "copy", "-c:a", "copy", source)
    done = render(source, folder / "more tracks out.mkv", Plan(mute=(Span(1, 2),)))
    assert done.warnings == ("2 of its tracks are left out: nobody looks for works in them",)
    assert look(done.out, LIMITS).others == 0
