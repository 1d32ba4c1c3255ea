"""Decoding keyframes only: each one stands where full decoding has it, and the pictures end at the same time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sordino.pipelines.media import Decoding, Frame, Limits, MediaError, Pcm, decode
from tests import synth

FPS = 25
B_FRAMES = ("-preset", "veryfast", "-g", "20", "-bf", "3", "-c:a", "aac")


def decoded(path: Path, *, keyframes: bool, frames_per_s: float = 60) -> tuple[Decoding, list[Frame]]:
    with decode(path, frames_per_s=frames_per_s, frame_side=160, keyframes=keyframes) as decoding:
        frames = [item for item in decoding if isinstance(item, Frame)]
    return decoding, frames


def pan(path: Path, *options: str, seconds: float = 3, seed: int = 1) -> Path:
    """A clip of which no two pictures are alike, with sound."""
    frames = synth.pictures(seconds, seed, fps=FPS, width=160, height=90)
    return synth.clip(path, synth.music(seconds, seed), frames, *B_FRAMES, *options, fps=FPS)


def plain(*options: str) -> Callable[[Path], Path]:
    return lambda path: pan(path, *options)


def copied(suffix: str, *options: str) -> Callable[[Path], Path]:
    """What encoders give, moved into another container or cut without decoding."""

    def make(path: Path) -> Path:
        synth.ffmpeg("-i", pan(path.with_name(f"original.{suffix}")), "-c", "copy", *options, path)
        return path

    return make


def joined(second_s: float, lost: float = 0.0) -> Callable[[Path], Path]:
    """Two streams one after the other, the first from 100 s on, the other from `second_s`, less its first part."""

    def make(path: Path) -> Path:
        first = pan(path.with_name("first.ts"), "-output_ts_offset", "100").read_bytes()
        second = pan(path.with_name("second.ts"), "-output_ts_offset", str(second_s), seed=2).read_bytes()
        begin = int(lost * len(second)) // 188 * 188
        path.write_bytes(first + second[begin:])
        return path

    return make


FILES = [
    pytest.param("a.ts", plain(), id="MPEG-TS"),
    pytest.param("a.ts", plain("-output_ts_offset", "95442.2"), id="MPEG-TS whose clock wraps"),
    pytest.param("a.mp4", plain(), id="MP4 with B-frames"),
    pytest.param("a.mp4", plain("-output_ts_offset", "7"), id="MP4 that starts late"),
    pytest.param("a.mp4", plain("-movflags", "frag_keyframe+empty_moov"), id="fragmented MP4"),
    pytest.param("a.mp4", copied("mp4", "-movflags", "negative_cts_offsets"), id="negative composition offsets"),
    pytest.param("a.mkv", plain(), id="Matroska"),
    pytest.param(
        "a.mkv", plain("-vf", "select='lt(mod(n,7),3)'", "-fps_mode", "vfr", "-g", "10"), id="variable frame rate"
    ),
    pytest.param("a.mkv", plain("-x264-params", "open-gop=1:bframes=3:keyint=20"), id="open groups of pictures"),
    pytest.param("a.mkv", plain("-g", "1"), id="keyframes only"),
    pytest.param("a.webm", plain("-c:a", "libopus"), id="WebM with hidden pictures"),
    pytest.param("a.flv", plain("-ar", "44100"), id="FLV"),
    pytest.param("a.avi", plain("-c:v", "mpeg4", "-bf", "0"), id="AVI"),
    pytest.param("a.avi", plain("-c:v", "mpeg4", "-bf", "2"), id="AVI with B-frames"),
    pytest.param("a.avi", copied("mkv", "-bsf:v", "h264_mp4toannexb"), id="AVI of H.264"),
    pytest.param("a.ts", plain("-c:v", "mpeg2video", "-bf", "2"), id="MPEG-2"),
    pytest.param("a.mkv", plain("-c:v", "libx265", "-x265-params", "log-level=none"), id="HEVC"),
    pytest.param("a.mkv", plain("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-bf", "0"), id="Motion JPEG"),
    pytest.param("a.ts", joined(98.5), id="a clock that goes back"),
    pytest.param("a.ts", joined(98.5, lost=0.2), id="a clock that goes back between keyframes"),
    pytest.param("a.ts", joined(50), id="a clock that goes back by a minute"),
    pytest.param("a.ts", joined(106), id="a hole"),
]


@pytest.mark.parametrize(("name", "make"), FILES)
def test_keyframes_stand_where_full_decoding_has_them(tmp_path: Path, name: str, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / name)
    whole, every = decoded(path, keyframes=False)
    brief, some = decoded(path, keyframes=True)
    assert brief.video_s == pytest.approx(whole.video_s, abs=1.01 / FPS)
    assert brief.audio_s == whole.audio_s
    assert brief.start_s == whole.start_s
    assert len(some) >= 3
    apart = [[float(np.abs(f.luma.astype(int) - one.luma).mean()) for one in every] for f in some]
    assert max(min(row) for row in apart) < 1
    there_s = [every[int(np.argmin(row))].time_s for row in apart]
    assert [f.time_s for f in some] == pytest.approx(there_s, abs=1.01 / FPS)


def test_keyframes_come_at_most_so_often(tmp_path: Path) -> None:
    path = pan(tmp_path / "a.mkv", "-g", "1")
    _, frames = decoded(path, keyframes=True, frames_per_s=5)
    assert np.diff([f.time_s for f in frames]) == pytest.approx(0.2, abs=0.002)


def test_sound_alone(tmp_path: Path) -> None:
    with decode(synth.wav(tmp_path / "a.wav", synth.music(2, 1)), keyframes=True) as decoding:
        assert all(isinstance(item, Pcm) for item in decoding)
    assert (decoding.audio_s, decoding.video_s) == (2.0, 0.0)


def test_pictures_alone(tmp_path: Path) -> None:
    path = synth.video(tmp_path / "silent.mp4", 2, 1)
    decoding, frames = decoded(path, keyframes=True)
    assert [f.time_s for f in frames] == [0.0]
    assert (decoding.audio_s, decoding.video_s) == pytest.approx((0.0, 2.0))


@pytest.mark.parametrize("audio", [True, False])
def test_a_cover_is_no_keyframe(tmp_path: Path, audio: bool) -> None:
    cover, tune = synth.picture(tmp_path / "cover.png"), synth.clip(tmp_path / "tune.mp3", synth.music(1, 1))
    synth.ffmpeg("-i", tune, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", path := tmp_path / "covered.mp3")
    decoding = decode(path, audio=audio, keyframes=True)
    if audio:
        assert not [item for item in decoding if isinstance(item, Frame)]
        assert decoding.video_s == 0
    else:
        with pytest.raises(MediaError, match="none of the wanted"):
            list(decoding)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_pictures_of_which_none_can_be_decoded_have_no_length(tmp_path: Path, suffix: str) -> None:
    whole = pan(tmp_path / "whole.mkv")
    synth.ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "noise=amount=1", path := tmp_path / f"noise.{suffix}")
    decoding, frames = decoded(path, keyframes=True)
    assert frames == []
    assert decoding.video_s == 0
    assert decoding.audio_s == pytest.approx(3, abs=0.2)
    assert "there is a video track, but nothing in it could be decoded" in decoding.warnings


def test_the_list_of_packets_counts_as_output(tmp_path: Path) -> None:
    path = tmp_path / "many.mp4"
    synth.ffmpeg("-f", "lavfi", "-i", "color=s=16x16:r=40000:d=1", *synth.H264, path)
    with pytest.raises(MediaError) as caught:
        list(decode(path, keyframes=True, frames_per_s=1, frame_side=16, limits=Limits(duration_s=1), sample_rate=8000))
    assert caught.value.code == "decoder_limit"
