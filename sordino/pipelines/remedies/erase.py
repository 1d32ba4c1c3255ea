"""A registered song out of a mixture: laid under it to the sample, cancelled, and judged by what is left."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import Span
from sordino.pipelines.media import Limits
from sordino.pipelines.remedies.cancel import HEARD, MIXED, Cancelled, cancelled
from sordino.pipelines.remedies.cancel import Path as Way
from sordino.pipelines.remedies.timing import Timing, aligned
from sordino.pipelines.remedies.warp import REACH, sampled
from sordino.pipelines.sound import sound

Block = NDArray[np.float32]  # [n, channels], full scale at 1

CHUNK_S = 12.0  # is held in memory, timed and cancelled at once; its clock may differ from the next one's
JOIN_S = 0.5  # over which one chunk fades into the next
EDGE_S = 0.03  # over which what is untouched fades into what isn't
LEAST_S = 1.0  # of music, from which anything can be learnt
SEARCHED_S = 0.25  # to either side of where the reference should be
LOOSE_S = 1.0  # spans of matches are right to within this
AGREEING = 0.3  # share of a chunk's windows that have to name one lag; a wrong song has a tenth
ENOUGH_DB = 10.0  # by less the music is still there to hear
ROOM_DB = 15.0  # what is cancelled by less may have gone through a room ...
ROOM_EXPLAINS = 0.15  # ... if that explains so much more, of some seconds
TRIED_S = 6.0
SILENT = 1e-4
SAME_PITCH = 0.3  # semitones that speed explains; a copy that was stretched is another sound


@dataclass(frozen=True, slots=True)
class Song:
    """
    What is to be taken out, where it lies by a match; `path` is the registered media.

    `loose_s` is how far the music may reach beyond the span; 0 for a span that somebody asked for.
    """

    path: Path
    query: Span
    reference: Span
    speed: float = 1.0
    pitch_semitones: float = 0.0
    loose_s: float = LOOSE_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """How well a song was taken out: by how many dB, estimated from what is left; is that enough, or why not."""

    song: Song
    suppression_db: float
    ok: bool
    why: str = ""


def erase(
    blocks: Iterable[Block],
    sample_rate: int,
    songs: Sequence[Song],
    outcomes: list[Outcome],
    limits: Limits = Limits(),  # noqa: B008 -- a frozen value
) -> Iterator[Block]:
    """
    Yield a sound without its songs, in all as many samples; seconds of it are held in memory.

    `blocks` are continuous from time 0. An `Outcome` a song is appended once its span is over. A chunk of some seconds
    out of which it can't be taken well enough is given as it came. Raises MediaError where a song's media can't be
    decoded.
    """
    sounding: Iterable[Block] = blocks
    for song in sorted(songs, key=lambda song: song.query):
        sounding = _without(iter(sounding), sample_rate, song, outcomes, limits)
    yield from sounding


class _Reel:
    """A sound that is read forward, and of which what is still wanted is held."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._held: Block | None = None
        self._first = 0

    def window(self, first: int, last: int) -> Block:
        """Return what there is of the samples from `first` to `last`; what is before them is forgotten."""
        parts = [] if self._held is None else [self._held]
        end = self._first + sum(map(len, parts))
        while end < last and (block := next(self._blocks, None)) is not None:
            end += len(block)
            if end <= first:  # nobody will want it
                self._first, parts = end, [block[:0]]
            else:
                parts.append(block)
        if not parts:
            return np.zeros((0, 1), np.float32)
        held = np.concatenate(parts)
        self._held = held[max(0, first - self._first) :]
        self._first = max(self._first, min(first, end))
        return self._held[: max(0, last - self._first)]

    def rest(self, first: int) -> Iterator[Block]:
        """Yield all from a sample on."""
        if self._held is not None:
            yield self._held[max(0, first - self._first) :]
        yield from self._blocks


def _without(
    blocks: Iterator[Block], rate: int, song: Song, outcomes: list[Outcome], limits: Limits
) -> Iterator[Block]:
    """Yield a sound without one song."""
    copy, at = _Reel(blocks), 0
    first, last = _samples(song, rate)
    while at < first and len(block := copy.window(at, min(first, at + rate))):
        yield block
        at += len(block)
    with sound(song.path, sample_rate=rate, channels=2, limits=limits) as reference:
        eraser = _Eraser(song, rate, _Reel(iter(reference)))
        for done in _chunks(copy, eraser, rate, at, last):
            yield done
            at += len(done)
    outcomes.append(eraser.outcome())
    yield from copy.rest(at)


def _chunks(copy: _Reel, eraser: "_Eraser", rate: int, at: int, last: int) -> Iterator[Block]:
    """Yield the stretch from `at` to `last` without the song, in chunks that overlap and fade into one another."""
    size, join, edge = (round(seconds * rate) for seconds in (CHUNK_S, JOIN_S, EDGE_S))
    before = copy.window(at, at + edge if at else at)  # what fades into the next chunk
    while at < last:
        end = last if last - at < 1.5 * size else at + size
        mixture = copy.window(at, end)
        if len(mixture) <= len(before):  # the sound ends here
            yield before[: len(mixture)]
            return
        done = _faded(before, eraser.erased(mixture, at))
        if end == last or len(mixture) < end - at:
            yield _faded(mixture[: -edge - 1 : -1], done[::-1])[::-1] if end == last else done
            return
        yield done[:-join]
        before, at = done[-join:], at + len(done) - join


def _samples(song: Song, rate: int) -> tuple[int, int]:
    """Return the first sample that the song may sound in, and the one after the last."""
    first_s, last_s = song.query.start_s - song.loose_s, song.query.end_s + song.loose_s
    return max(0, round(first_s * rate)), max(0, round(last_s * rate))


def _faded(before: Block, after: Block) -> Block:
    """Return `after`, into whose beginning `before` fades."""
    n = min(len(before), len(after))
    rising = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    return np.concatenate([before[:n] + (after[:n] - before[:n]) * rising, after[n:]])


class _Eraser:
    """Cancels a song chunk by chunk, and remembers how that went."""

    def __init__(self, song: Song, rate: int, reference: _Reel) -> None:
        self._song = song
        self._rate = rate
        self._reference = reference
        self._timing: Timing | None = None  # of the copy's sample 0
        self._way: Way | None = None
        self._music = self._left = 0.0
        stretched = abs(song.pitch_semitones - 12 * math.log2(song.speed))
        self._why = "its pitch isn't what its speed makes of it: it was stretched" if stretched > SAME_PITCH else ""

    def erased(self, mixture: Block, at: int) -> Block:
        """Return a chunk without the song; as it came where that can't be done."""
        music = None if self._why or len(mixture) < LEAST_S * self._rate else self._laid_under(mixture, at)
        if music is None or not np.any(np.abs(music) > SILENT):
            return mixture
        made = self._best(mixture, music, self._sure(at, len(mixture)))
        self._music, self._left = self._music + made.music, self._left + min(made.left, made.music)
        return made.sound if made.suppression_db >= ENOUGH_DB else mixture

    def _laid_under(self, mixture: Block, at: int) -> Block | None:
        """Return the song as it would sound beside the chunk; None where it can't be laid beside it."""
        song, rate = self._song, self._rate
        begins_s = song.reference.start_s + (at / rate - song.query.start_s) * song.speed
        guess = self._timing or Timing(begins_s * rate - at * song.speed, song.speed)
        spare = round(SEARCHED_S * rate) + REACH
        first = max(0, int(guess.at(at)) - spare)
        heard = self._reference.window(first, int(guess.at(at + len(mixture))) + spare)
        if len(heard) < LEAST_S * rate:
            return None  # the reference is over
        here = Timing(guess.at(at) - first, guess.step)
        found = aligned(_mono(mixture), _mono(heard), rate, here, searches=4 if self._timing is None else 3)
        if found.agreeing >= AGREEING:
            self._timing = Timing(found.start + first - found.step * at, found.step)
        elif self._timing is None:
            self._why = "its reference can't be laid beside it to the sample"
            return None
        else:
            found = here
        return sampled(heard, found.start, found.step, len(mixture))

    def _sure(self, at: int, n: int) -> tuple[int, int]:
        """Return the chunk's samples in which the song is heard for sure."""
        song, rate = self._song, self._rate
        spare_s = min(song.loose_s, song.query.duration_s / 4)
        edges = (song.query.start_s + spare_s, song.query.end_s - spare_s)
        first, last = (min(max(round(edge_s * rate) - at, 0), n) for edge_s in edges)
        return (first, last) if last - first >= LEAST_S * rate / 2 else (0, n)  # too little to learn from

    def _best(self, mixture: Block, music: Block, sure: tuple[int, int]) -> Cancelled:
        """Cancel by the way that explains the mixture best; which one that is, is decided once."""
        made = cancelled(mixture, music, self._rate, self._way or MIXED, sure)
        if self._way is None and made.suppression_db < ROOM_DB:
            self._way = self._likelier(mixture, music, sure)
            if self._way is HEARD:
                made = cancelled(mixture, music, self._rate, HEARD, sure)
        return made

    def _likelier(self, mixture: Block, music: Block, sure: tuple[int, int]) -> Way:
        """Try both ways on some seconds."""
        first = max(sure[0], (sum(sure) - round(TRIED_S * self._rate)) // 2)
        last = min(sure[1], first + round(TRIED_S * self._rate))
        part = (mixture[first:last], music[first:last])
        mixed, heard = (cancelled(*part, self._rate, way, (0, last - first)).explained for way in (MIXED, HEARD))
        return HEARD if heard > mixed + ROOM_EXPLAINS else MIXED

    def outcome(self) -> Outcome:
        """Return how it went, over all chunks."""
        reached = 10 * float(np.log10(self._music / max(self._left, 1e-12))) if self._music else 0.0
        short = f"{reached:.0f} dB of it could be taken out, and less than {ENOUGH_DB:.0f} leave it to be heard"
        why = self._why or (short if reached < ENOUGH_DB else "")
        return Outcome(self._song, reached, not why, why)


def _mono(sounding: Block) -> NDArray[np.float32]:
    """Return the mean of the channels; the first one where they cancel each other."""
    mean = sounding.mean(axis=1)
    alone = sounding[:, 0]
    return np.asarray(mean if np.mean(mean**2) > 0.05 * np.mean(alone**2) else alone, np.float32)
