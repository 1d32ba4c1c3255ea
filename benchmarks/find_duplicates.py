"""
Find files of the corpus that hold the same recording: `python -m benchmarks.find_duplicates` writes `duplicates.txt`.

Chromaprints of whole files propose pairs and how they lie to each other; the samples decide, by normalised
cross-correlation at that place. Music that shares instruments, passages or a composer does not correlate.
"""

import itertools
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import acoustid
import chromaprint
import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from benchmarks.corpus import DUPLICATES, music, name_of

SAMPLE_RATE = 11_025  # Chromaprint's own
ITEM_S = 4096 / 3 / SAMPLE_RATE  # a Chromaprint has a number each 0.124 s
KEY_SHIFT, MIN_VOTES = 12, 8  # so many low bits may differ, so many numbers agree at one offset: chance reaches 8
WINDOW_S, SLACK_S = 6.0, 0.4
SAME_LAG_S = 0.002  # the same samples keep one lag; a passage played again, or a held note, does not ...
MIN_AGREED_S, MIN_AGREED_SHARE = 12.0, 0.4  # ... for so long, and in so much of what the two have in common
MIN_CORRELATION = 0.2  # a stem of the same recording under others


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files, the second `offset_s` into the first, and how long and well their samples agree at one lag."""

    first: Path
    second: Path
    offset_s: float
    votes: int
    correlation: float
    agreed_s: float
    compared_s: float

    @property
    def is_same(self) -> bool:
        """Whether both hold the same recording, or stems of it."""
        enough_s = max(MIN_AGREED_S, MIN_AGREED_SHARE * self.compared_s)
        return self.correlation >= MIN_CORRELATION and self.agreed_s >= enough_s


def main() -> None:
    """Write the pairs that are the same recording, and print those that only looked alike."""
    prints = {path: _chromaprint(path) for path in music()}
    pairs = [_compare(*candidate) for candidate in _candidates(prints)]
    for pair in sorted(pairs, key=lambda pair: -pair.agreed_s):
        print("same" if pair.is_same else "not ", f"{pair.votes:4} votes", _line(pair), flush=True)
    header = [line for line in DUPLICATES.read_text().splitlines() if line.startswith("#")]
    DUPLICATES.write_text("\n".join(header + sorted(_line(pair) for pair in pairs if pair.is_same)) + "\n")


def _line(pair: Pair) -> str:
    agreed = f"samples agree at one lag for {pair.agreed_s:.0f} of {pair.compared_s:.0f} s"
    where = f"the second begins {pair.offset_s:+.3f} s into the first"
    reason = f"{agreed}, correlation {pair.correlation:.2f}; {where}"
    return f"{name_of(pair.first)} | {name_of(pair.second)} | {reason}"


def _samples(path: Path, start_s: float = 0.0, duration_s: float = 1e6) -> NDArray[np.int16]:
    span = ["-ss", str(start_s), "-t", str(duration_s)]
    form = ["-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "-"]
    command = ["ffmpeg", "-v", "error", "-nostdin", *span, "-i", f"file:{path}", *form]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)


def _chromaprint(path: Path) -> NDArray[np.uint32]:
    coded = acoustid.fingerprint(SAMPLE_RATE, 1, iter([_samples(path).tobytes()]), maxlength=100_000)
    numbers, _ = chromaprint.decode_fingerprint(coded)
    return np.array(numbers, np.int64).astype(np.uint32)


def _candidates(prints: dict[Path, NDArray[np.uint32]]) -> Iterator[tuple[Path, Path, float, int]]:
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for track, numbers in enumerate(prints.values()):
        keys = numbers >> KEY_SHIFT
        changed = np.flatnonzero(
            np.diff(keys, prepend=keys[:1] ^ 1)
        ).tolist()  # held notes repeat a number: count it once
        for at in changed:
            places[int(keys[at])].append((track, at))
    votes: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for found in places.values():
        if len(found) <= 200:  # silence is in every file
            for (first, at), (second, other) in itertools.combinations(found, 2):
                if first != second:
                    votes[first, second][at - other] += 1
    paths = list(prints)
    for (first, second), offsets in votes.items():
        offset, count = max(
            ((o, c + offsets[o - 1] + offsets[o + 1]) for o, c in offsets.items()), key=lambda oc: oc[1]
        )
        if count >= MIN_VOTES:
            yield paths[first], paths[second], offset * ITEM_S, count


def _compare(first: Path, second: Path, offset_s: float, votes: int) -> Pair:
    """Correlate window by window where both files sound; the window's fine offset is searched within `SLACK_S`."""
    a, b = _samples(first).astype(np.float32), _samples(second).astype(np.float32)
    window, slack, offset = (round(s * SAMPLE_RATE) for s in (WINDOW_S, SLACK_S, offset_s))
    starts = range(max(0, -offset + slack), min(len(b), len(a) - offset - slack) - window, window)
    peaks, lags = [], []
    for start in starts:
        piece, place = b[start : start + window], a[start + offset - slack : start + offset + slack + window]
        if len(place) == window + 2 * slack and piece.std() > 30:  # of 32768: not silence
            peak, lag = _peak(place, piece)
            peaks.append(peak)
            lags.append((lag - slack) / SAMPLE_RATE)
    heard, places = np.array(peaks or [0.0]), np.array(lags or [0.0])
    lag_s = float(np.median(places[heard >= np.median(heard)]))
    agreed = np.abs(places - lag_s) <= SAME_LAG_S
    level = float(np.median(heard[agreed])) if agreed.any() else 0.0
    return Pair(first, second, offset_s + lag_s, votes, level, agreed.sum() * WINDOW_S, len(heard) * WINDOW_S)


def _peak(place: NDArray[np.float32], piece: NDArray[np.float32]) -> tuple[float, int]:
    products = correlate(place, piece, mode="valid")
    sums = np.cumsum(np.concatenate([[0.0], place.astype(np.float64) ** 2]))
    energy = np.sqrt((sums[len(piece) :] - sums[: -len(piece)]) * np.sum(piece.astype(np.float64) ** 2))
    ratios = np.abs(products) / np.maximum(energy, 1e-9)
    lag = int(np.argmax(ratios))
    return float(ratios[lag]), lag


if __name__ == "__main__":
    main()
