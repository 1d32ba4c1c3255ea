"""Would erasing do: the songs of a segment are taken out for once, and what is left is looked up again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import gcd
from pathlib import Path

import numpy as np
import scipy.signal

from sordino.fingerprints.audio import query_print
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Span
from sordino.pipelines.downmix import Downmix
from sordino.pipelines.media import Limits
from sordino.pipelines.remedies.erase import Block, Outcome, Song, erase
from sordino.pipelines.sound import sound

PIECE_S = 30.0  # of what is left, that is looked up at once


def tried(path: Path, songs: Mapping[Song, str], catalogue: Catalogue, limits: Limits) -> list[Outcome]:
    """
    Return what becomes of each song where all of them are erased from a file; `songs` are their reference ids.

    A song that is still found in what is left isn't `ok`, however well it was suppressed. Raises MediaError and
    DecoderMissing.
    """
    outcomes: list[Outcome] = []
    still: set[str] = set()
    with sound(path, channels=2, limits=limits) as heard:
        first = next(iter(heard), None)
        if first is None:
            return []
        left = erase(_chained(first, heard), heard.sample_rate, list(songs), outcomes, limits)
        for piece in _pieces(left, heard.sample_rate, [song.query for song in songs]):
            matches = catalogue.find(
                query_print(_heard(piece, heard.sample_rate, catalogue), catalogue.audio_params), None
            )
            still |= {match.reference_id for match in matches}
    return [
        replace(one, ok=False, why="it is still recognised in what is left")
        if one.ok and songs[one.song] in still
        else one
        for one in outcomes
    ]


def _chained(first: Block, rest: Iterable[Block]) -> Iterator[Block]:
    yield first
    yield from rest


def _pieces(blocks: Iterable[Block], rate: int, spans: Sequence[Span]) -> Iterator[Block]:
    """Yield what lies in the spans, in pieces of some seconds."""
    at, held = 0, list[Block]()
    for block in blocks:
        times_s = (at + np.arange(len(block))) / rate
        at += len(block)
        inside = np.zeros(len(block), bool)
        for span in spans:
            inside |= (times_s >= span.start_s) & (times_s < span.end_s)
        if inside.any():
            held.append(block[inside])
        if held and (not inside.any() or sum(map(len, held)) >= PIECE_S * rate):
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _heard(piece: Block, rate: int, catalogue: Catalogue) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Return a piece as the matcher hears it."""
    wanted = catalogue.audio_params.sample_rate
    common = gcd(wanted, rate)
    slow = scipy.signal.resample_poly(piece, wanted // common, rate // common, axis=0).astype(np.float32)
    mixing = Downmix(wanted)
    return np.concatenate([mixing.push(slow), mixing.finish()])
