"""Media out of a file: one limited child process turns it into mono PCM and frames with their times."""

import os
import subprocess
from collections.abc import Generator, Iterator
from dataclasses import replace

from sordino.pipelines.child import DecoderMissing, program
from sordino.pipelines.decoder import CHANNELS, Child, Limits, Want
from sordino.pipelines.matroska import Block, Reader
from sordino.pipelines.running import MediaError, Running, open_media, why_nothing
from sordino.pipelines.timeline import Frame, Pcm, Pictures, Sound, samples

__all__ = ["DecoderMissing", "Decoding", "Frame", "Limits", "MediaError", "Pcm", "decode", "ffmpeg_version"]


def decode(
    path: str | os.PathLike[str],
    *,
    sample_rate: int = 16_000,
    frames_per_s: float = 2.0,
    limits: Limits = Limits(),  # noqa: B008 -- a frozen value
    audio: bool = True,
    video: bool = True,
    frame_side: int = 640,
    keyframes: bool = False,
) -> "Decoding":
    """
    Decode the first sound and the first video track of a file, in one pass.

    Parameters
    ----------
    path
        A regular file: MPEG-TS, MP4 and its kin (fragmented too), Matroska, WebM, FLV, AVI, WAV, MP3, AAC, FLAC, Ogg or
        AIFF.
    sample_rate
        Of the PCM, in Hz; up to 48,000.
    frames_per_s
        At most so many frames; which ones is decided by their times, so a variable frame rate is no trouble. Up to 60.
    limits
        What the file may cost.
    audio, video
        Whether that kind is wanted.
    frame_side
        Pixels of the frames' longer side, 16 to 1280. Smaller pictures are not enlarged.
    keyframes
        Frames of keyframes only, at a quarter of the cost or less: there are fewer of them, their times and `video_s`
        stay the same. Decoders that can't leave pictures out (of AV1, say) give the others, too.

    Returns
    -------
    Decoding
        The child process starts with the first iteration; `MediaError` and `DecoderMissing` come from there too.
    """
    beside = not (audio and video)
    want = Want(sample_rate, frames_per_s, audio, video, frame_side, keyframes, beside=beside)
    if not (1 <= sample_rate <= 48_000 and 0 < frames_per_s <= 60 and 16 <= frame_side <= 1280 and (audio or video)):
        raise ValueError(f"can't decode to {want}")
    return Decoding(os.fspath(path), want, limits)


def ffmpeg_version() -> str:
    """Return the version of the machine's ffmpeg, or raise `DecoderMissing`."""
    said = subprocess.run([program("ffmpeg"), "-version"], capture_output=True, check=False, text=True)
    words = said.stdout.split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise DecoderMissing(f"what is installed as ffmpeg does not work: {said.stderr.strip()}")
    return words[2]


class Decoding(Running[Pcm | Frame]):
    """
    What `decode` returns: iterate to get `Pcm` and `Frame`, each kind in order of time; `close` it or use `with`.

    Sound is continuous from 0: silence stands where the file has none. Time 0 is the container's start, whatever its
    clock says; what comes after the clock jumped back follows what came before. Once exhausted, `warnings` has ffmpeg's
    words about damage, `audio_s` and `video_s` the time at which sound and pictures end (0.0: there are none),
    `start_s` the container's own time of its start, `codecs` what ffmpeg calls the first track's of each kind,
    `tracks` how many there are with subtitles and further ones, and, where only keyframes are decoded, `longest_gap_s`
    the longest time without a new picture.

    Raises
    ------
    MediaError
        While iterating: nothing could be decoded, or a limit was reached. Damage after a good part is a warning.
    """

    def __init__(self, path: str, want: Want, limits: Limits) -> None:
        super().__init__(path, want, limits)
        assert want.sample_rate is not None
        self._sound = Sound(want.sample_rate)
        self._pictures = Pictures()
        self.longest_gap_s = 0.0

    @property
    def audio_s(self) -> float:
        """Seconds from the start to the end of the sound."""
        return self._sound.end_s

    @property
    def video_s(self) -> float:
        """Seconds from the start until the last picture has been shown for as long as the ones before it."""
        return self._pictures.end_s

    def _decode(self) -> Generator[Pcm | Frame, None, None]:
        with open_media(self._path) as file:
            first = yield from self._run(file, self._want)
            if (self._want.keyframes or self._want.beside) and first.kinds and not self._delivered_s:
                # ffmpeg copies no track that tells too little of itself, but may decode it; or no keyframe could be.
                self._want = replace(self._want, keyframes=False, beside=False)
                first = yield from self._run(file, self._want)
            errors = first.errors
            both = self._want.audio and self._want.video and first.kinds == {"Audio", "Video"}
            if both and not self._delivered_s:
                # ffmpeg writes nothing before every track has begun: one that never does silences the other.
                for only in (replace(self._want, video=False), replace(self._want, audio=False)):
                    if not self._delivered_s:
                        errors = [*errors, *(yield from self._run(file, only)).errors]
            if not self._delivered_s:
                raise self._error(*why_nothing(first, self._want, os.pread(file, 16, 0)))
            self.warnings = tuple(dict.fromkeys([*errors, *self._missed(first.kinds)]))

    def _missed(self, kinds: set[str]) -> Iterator[str]:
        """Say it where a track gave nothing, as an empty one does without a word from ffmpeg."""
        if self._want.audio and "Audio" in kinds and not self.audio_s:
            yield "there is a sound track, but nothing in it could be decoded"
        if self._want.video and "Video" in kinds and not self.video_s:
            yield "there is a video track, but nothing in it could be decoded"

    def _place(self, block: Block, reader: Reader, child: Child) -> Iterator[Pcm | Frame]:
        videos = [track for track in reader.tracks if track.kind == "video"]
        if block.track.kind == "audio":
            yield from self._sound.place(block.time_s, samples(block, CHANNELS))
        elif "Video" not in child.words.kinds:
            return  # a cover picture that ffmpeg selected for want of better
        elif self._want.keyframes:
            yield self._pictures.frame(block, child.clock.next_frame_s())
            self._pictures.end_s = child.clock.end_s
        elif block.track is videos[0]:
            yield self._pictures.frame(block)
        else:
            self._pictures.tick(block.time_s)

    def _finish(self, child: Child) -> Iterator[Pcm | Frame]:
        if self._want.keyframes and self.video_s:  # pictures came after the last keyframe
            self._pictures.end_s = child.clock.end_s
            self.longest_gap_s = child.clock.longest_gap_s
        yield from self._sound.finish()
