"""Which container a file's suffix means, what it holds, and how that is encoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sordino.pipelines.remedies.plan import RemedyError

ANYTHING = ("*",)


@dataclass(frozen=True, slots=True)
class Container:
    """
    A muxer of ffmpeg's, and the codecs that it holds, by ffmpeg's names (`*`: any other).

    The first codec of each kind is what is encoded where the input's own can't be.
    """

    muxer: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    options: Mapping[str, Any]

    def holds(self, kind: str, codec: str) -> bool:
        """May this codec's packets be copied into it."""
        held = self.video if kind == "Video" else self.audio
        return codec in held or "*" in held

    def sound_codec(self, codec: str) -> str:
        """Return the codec that changed sound is encoded with, where the input has `codec`: its own, if that can be."""
        return codec if self.holds("Audio", codec) and (codec in SOUND or codec in PCM) else self.audio[0]


_ISO_VIDEO = ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video")
_ISO_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_s16be", "pcm_s24be")
_FASTSTART = {"movflags": "+faststart"}
_MP4 = Container("mp4", _ISO_VIDEO, _ISO_AUDIO, {**_FASTSTART, "strict": "experimental"})  # FLAC counts as that in it
_MKV = Container("matroska", ("h264", *ANYTHING), ("aac", *ANYTHING), {})
_TS = Container("mpegts", ("h264", "hevc", "mpeg2video"), ("aac", "mp3", "ac3", "mp2"), {})

CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", (*_ISO_VIDEO, "prores", "mjpeg"), ("aac", "mp3", "ac3", "alac", *PCM), _FASTSTART),
    ".mkv": _MKV,
    ".webm": Container("webm", ("vp9", "vp8", "av1"), ("opus", "vorbis"), {}),
    ".ts": _TS,
    ".m2ts": _TS,
    ".flv": Container("flv", ("h264", "flv1"), ("aac", "mp3"), {}),
    ".wav": Container("wav", (), PCM[:5], {"rf64": "auto"}),
    ".aiff": Container("aiff", (), ("pcm_s16be", "pcm_s24be"), {}),
    ".m4a": Container("ipod", (), ("aac", "alac"), _FASTSTART),
    ".aac": Container("adts", (), ("aac",), {}),
    ".mp3": Container("mp3", (), ("mp3",), {}),
    ".ogg": Container("ogg", (), ("vorbis", "opus", "flac"), {}),
    ".opus": Container("ogg", (), ("opus",), {}),
    ".flac": Container("flac", (), ("flac",), {}),
}

PICTURES: dict[str, dict[str, Any]] = {
    "h264": {"c:v": "libx264", "preset:v": "veryfast", "crf": 18},
    "vp9": {"c:v": "libvpx-vp9", "crf": 24, "b:v": 0, "deadline": "realtime", "cpu-used": 6, "row-mt": 1},
}
SOUND: dict[str, dict[str, Any]] = {  # options, and kbit/s a channel: near what can't be told from the original
    "aac": {"c:a": "aac", "a_channel": 96},
    "opus": {"c:a": "libopus", "a_channel": 80},
    "vorbis": {"c:a": "libvorbis", "q:a": 6},
    "mp3": {"c:a": "libmp3lame", "q:a": 1},
    "ac3": {"c:a": "ac3", "b:a": "448k"},
    "flac": {"c:a": "flac"},
    "alac": {"c:a": "alac"},
}


def container(path: Path) -> Container:
    """Return what a file of this name is written as; raises RemedyError bad_container."""
    if (found := CONTAINERS.get(path.suffix.lower())) is None:
        names = ", ".join(CONTAINERS)
        raise RemedyError(
            "bad_container", f"{path.name}: {path.suffix or 'no suffix'} is not written; there are {names}"
        )
    return found


def sound_options(codec: str, channels: int) -> dict[str, Any]:
    """Return ffmpeg's options to encode sound."""
    options = dict(SOUND.get(codec, {"c:a": codec}))
    if (each := options.pop("a_channel", None)) is not None:
        options["b:a"] = f"{each * channels}k"
    return options
