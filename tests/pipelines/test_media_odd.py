"""Odd pictures and damaged ones, decoded all or keyframes only: what frames show is looked at, and when."""

from pathlib import Path

import numpy as np
import pytest

from sordino.pipelines.media import Decoding, Frame, MediaError, decode
from tests import synth

BOTH = pytest.mark.parametrize("keyframes", [False, True], ids=["all", "keyframes"])
FPS = 10
BRIGHT, DARK = 235, 16  # of 255


def decoded(path: Path, keyframes: bool, frames_per_s: float = 60) -> tuple[Decoding, list[Frame]]:
    with decode(path, frames_per_s=frames_per_s, keyframes=keyframes) as decoding:
        frames = [item for item in decoding if isinstance(item, Frame)]
    return decoding, frames


def corner(width: int = 64, height: int = 48, count: int = 5) -> np.ndarray:
    """Dark pictures whose top left quarter is bright."""
    frames = np.full((count, height, width), DARK, np.uint8)
    frames[:, : -(-height // 2), : -(-width // 2)] = BRIGHT
    return frames


def brightness(luma: np.ndarray) -> list[list[int]]:
    """The middle of each quarter: rows from the top, from the left."""
    height, width = luma.shape
    return [[int(luma[y, x]) for x in (width // 4, 3 * width // 4)] for y in (height // 4, 3 * height // 4)]


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-pix_fmt")
LOSSLESS = ("-c:v", "ffv1", "-pix_fmt")

PRORES = ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-pix_fmt", "yuva420p")
AV1 = ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "5")
HEVC_10 = ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")
PQ = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
HLG = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
MPEG2_FIELDS = ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-top", "1")

ODD = [
    pytest.param("a.mkv", (*X264, "yuv444p"), (63, 47), id="odd sides"),
    pytest.param("a.avi", ("-c:v", "mpeg4", "-q:v", "2"), (33, 17), id="odd sides, MPEG-4"),
    pytest.param("a.mkv", (*LOSSLESS, "yuv420p"), (3, 3), id="3x3"),
    pytest.param("a.mp4", (*X264, "yuv444p"), (64, 48), id="4:4:4"),
    pytest.param("a.mp4", (*X264, "yuv422p10le"), (64, 48), id="4:2:2, 10 bits"),
    pytest.param("a.mkv", (*LOSSLESS, "yuv444p16le"), (64, 48), id="4:4:4, 16 bits"),
    pytest.param("a.mkv", (*LOSSLESS, "gray16le"), (64, 48), id="grey, 16 bits"),
    pytest.param("a.mov", ("-c:v", "png", "-pix_fmt", "rgb48be"), (64, 48), id="PNG, 16 bits a colour"),
    pytest.param("a.mov", ("-c:v", "png", "-pix_fmt", "rgba"), (64, 48), id="PNG with alpha"),
    pytest.param("a.mov", ("-c:v", "qtrle", "-pix_fmt", "argb"), (64, 48), id="QuickTime animation with alpha"),
    pytest.param("a.mov", PRORES, (64, 48), id="ProRes 4444 with alpha"),
    pytest.param("a.webm", VP9, (64, 48), id="VP9 with alpha"),
    pytest.param("a.mkv", AV1, (64, 48), id="AV1"),
    pytest.param("a.mkv", (*X264, "yuvj420p", "-vf", "scale=out_range=full"), (64, 48), id="full range"),
    pytest.param("a.mkv", (*HEVC_10, *PQ), (64, 48), id="HDR: PQ"),
    pytest.param("a.mkv", (*HEVC_10, *HLG), (64, 48), id="HDR: HLG"),
    pytest.param("a.ts", (*MPEG2_FIELDS, "-q:v", "2"), (64, 64), id="interlaced MPEG-2"),
    pytest.param("a.mkv", (*X264, "yuv420p", "-x264-params", "tff=1"), (64, 64), id="interlaced H.264"),
]


@BOTH
@pytest.mark.parametrize(("name", "options", "size"), ODD)
def test_odd_pictures_are_seen_as_they_are(
    tmp_path: Path, name: str, options: tuple[str, ...], size: tuple[int, int], keyframes: bool
) -> None:
    as_limited = ("-color_range", "tv") if "full" not in str(options) else ()
    path = synth.clip(tmp_path / name, None, corner(*size), *options, *as_limited, fps=FPS)
    decoding, frames = decoded(path, keyframes)
    assert decoding.video_s == pytest.approx(0.5, abs=0.01)
    assert decoding.warnings == ()
    assert [f.time_s for f in frames] == pytest.approx([k / FPS for k in range(5)][: len(frames)], abs=0.002)
    assert len(frames) == 5 or keyframes
    for frame in frames:
        assert frame.luma.shape == size[::-1]
        (top_left, *others), bottom = brightness(frame.luma)
        assert top_left > 215
        assert max(*others, *bottom) < 30


@BOTH
@pytest.mark.parametrize(("coder", "pixels"), [("png", "rgba"), ("qtrle", "argb")])
def test_alpha_hides_nothing(tmp_path: Path, coder: str, pixels: str, keyframes: bool) -> None:
    """What lies under transparent pixels is seen, as players show it that know no alpha."""
    see_through = ("-vf", "format=rgba,colorchannelmixer=aa=0", "-c:v", coder, "-pix_fmt", pixels)
    path = synth.clip(tmp_path / "a.mov", None, corner(), *see_through, fps=FPS)
    (top_left, *others), bottom = brightness(decoded(path, keyframes)[1][0].luma)
    assert top_left > 215
    assert max(*others, *bottom) < 30


@BOTH
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turned_pictures_come_upright(tmp_path: Path, quarters: int, keyframes: bool) -> None:
    flat = synth.clip(tmp_path / "flat.mp4", None, corner())
    _, frames = decoded(synth.turned(tmp_path / "turned.mp4", flat, quarters), keyframes)
    luma = frames[0].luma
    assert luma.shape == ((64, 48) if quarters % 2 else (48, 64))
    place = {0: (0, 0), 1: (0, 1), 2: (1, 1), 3: (1, 0)}[quarters]
    assert np.argwhere(np.array(brightness(luma)) > 200).tolist() == [list(place)]


@BOTH
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "gray", "rgb24"])
def test_one_pixel(tmp_path: Path, pixels: str, keyframes: bool) -> None:
    coder = ("-c:v", "png") if pixels == "rgb24" else ("-c:v", "ffv1")
    path = synth.clip(tmp_path / "a.mkv", None, np.full((5, 1, 1), 128, np.uint8), *coder, "-pix_fmt", pixels)
    decoding, frames = decoded(path, keyframes)
    assert decoding.video_s == pytest.approx(0.5, abs=0.01)
    assert {f.luma.shape for f in frames} == {(1, 1)}
    assert all(abs(int(f.luma[0, 0]) - 128) < 6 for f in frames)


@BOTH
def test_both_fields_are_in_a_frame(tmp_path: Path, keyframes: bool) -> None:
    frames = np.full((6, 64, 64), DARK, np.uint8)
    frames[:, ::2] = BRIGHT  # the upper field
    path = synth.clip(tmp_path / "a.ts", None, frames, *MPEG2_FIELDS, "-q:v", "1", "-g", "3", fps=25)
    luma = decoded(path, keyframes)[1][0].luma
    assert luma[::2].min() > 200
    assert luma[1::2].max() < 50


@BOTH
def test_a_video_of_one_colour(tmp_path: Path, keyframes: bool) -> None:
    path = synth.clip(tmp_path / "a.mp4", None, np.full((30, 48, 64), 128, np.uint8), "-g", "10", fps=FPS)
    decoding, frames = decoded(path, keyframes)
    assert decoding.video_s == pytest.approx(3)
    assert [f.time_s for f in frames] == pytest.approx([0, 1, 2] if keyframes else np.arange(30) / FPS)
    assert {int(v) for f in frames for v in np.unique(f.luma)} <= {126, 127, 128, 129, 130, 131}


@BOTH
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_thousand_pictures_a_second(tmp_path: Path, suffix: str, keyframes: bool) -> None:
    ramp = np.repeat(np.linspace(0, 255, 1000).astype(np.uint8), 48 * 64).reshape(1000, 48, 64)
    path = synth.clip(tmp_path / f"a.{suffix}", None, ramp, "-g", "250", fps=1000)
    decoding, frames = decoded(path, keyframes, frames_per_s=10)
    assert decoding.video_s == pytest.approx(1, abs=0.003)
    expected_s = [0, 0.25, 0.5, 0.75] if keyframes else np.arange(len(frames)) / 10
    assert [f.time_s for f in frames] == pytest.approx(expected_s, abs=0.01)
    assert len(frames) == 4 or (not keyframes and 10 <= len(frames) <= 11)
    assert [f.luma.mean() / 255 for f in frames] == pytest.approx([f.time_s for f in frames], abs=0.03)


@BOTH
def test_8k(tmp_path: Path, keyframes: bool) -> None:
    path = synth.clip(tmp_path / "a.mp4", None, corner(count=2), "-vf", "scale=7680:4320:flags=neighbor", "-t", "0.2")
    decoding, frames = decoded(path, keyframes)
    assert decoding.video_s == pytest.approx(0.2)
    assert {f.luma.shape for f in frames} == {(360, 640)}
    (top_left, *others), bottom = brightness(frames[0].luma)
    assert top_left > 215
    assert max(*others, *bottom) < 30


@BOTH
@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv", "flv"])
def test_what_is_readable_around_damage_is_used(tmp_path: Path, suffix: str, keyframes: bool) -> None:
    frames = synth.pictures(6, 3, fps=FPS)
    frames[5:10] = frames[50:55] = 255  # a flash before the damage, and one after it; each begins at a keyframe
    whole = synth.clip(tmp_path / f"a.{suffix}", None, frames, "-g", "5", "-sc_threshold", "0", fps=FPS)
    content = bytearray(whole.read_bytes())
    start, end = (int(part * len(content)) for part in (0.4, 0.6))
    content[start:end] = np.random.default_rng(0).bytes(end - start)
    whole.write_bytes(content)
    decoding, shown = decoded(whole, keyframes)
    assert decoding.warnings
    assert decoding.video_s == pytest.approx(6, abs=0.3)
    flashes_s = [f.time_s for f in shown if f.luma.mean() > 250]
    assert flashes_s[0] == pytest.approx(0.5, abs=0.01)
    assert any(at == pytest.approx(5, abs=0.01) for at in flashes_s)
    assert all(np.diff([f.time_s for f in shown]) > 0)


@BOTH
def test_times_that_go_back_follow(tmp_path: Path, keyframes: bool) -> None:
    """What full and brief decoding agree on is in `test_keyframes`: here is what they say."""
    made = []
    for number, start_s in enumerate((20, 18)):
        flash = synth.flashes(3, [1.0 + number], fps=FPS)
        path = tmp_path / f"{number}.ts"
        made.append(synth.clip(path, None, flash, "-g", "10", "-output_ts_offset", str(start_s), fps=FPS).read_bytes())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(made))
    decoding, frames = decoded(joined, keyframes)
    assert decoding.video_s == pytest.approx(6, abs=0.25)
    assert [f.time_s for f in frames if f.luma.mean() > 200] == pytest.approx([1, 5], abs=0.15)
    assert all(np.diff([f.time_s for f in frames]) > 0)


@BOTH
def test_a_side_beyond_all_bounds_is_refused(tmp_path: Path, keyframes: bool) -> None:
    with pytest.raises(MediaError) as caught:
        decoded(synth.huge_picture(tmp_path / "huge.mkv"), keyframes)
    assert caught.value.code == "too_large"
