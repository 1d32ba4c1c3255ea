"""
Chromaprint, the print of AcoustID: tells whether two references are the very same recording.

It knows nothing of music under speech; what it is for here is an independent second opinion on whole references, and a
print that other databases understand (Lalinský, chromaprint; the bit-error rate is that of Haitsma and Kalker, 2002).
"""

import acoustid
import numpy as np
from numpy.typing import NDArray

try:
    import chromaprint
except ImportError:  # its library is not on this machine; whoever needs it is told so, the rest goes on without
    chromaprint = None

LENGTH_S = 120  # what AcoustID's own fpcalc takes
ITEM_S = 0.1238  # 4096 samples at 11,025 Hz, two thirds of them overlapping
SAME_RECORDING = 0.15  # bit-error rate; unrelated recordings are near 0.5, lossy copies of one below 0.1
MAX_SHIFT_S = 12.0


class TooShort(ValueError):  # noqa: N818 -- what is said of the sound
    """There is no Chromaprint of less than about 3 s."""


class AcoustidMissing(Exception):  # noqa: N818 -- a state of the machine
    """The chromaprint library is not installed."""


def acoustid_print(pcm: NDArray[np.int16], sample_rate: int) -> str:
    """
    Return the compressed, AcoustID-compatible print of mono sound: of its first two minutes.

    Raises AcoustidMissing and TooShort.
    """
    _require()
    head = np.ascontiguousarray(pcm[: LENGTH_S * sample_rate])
    try:
        compressed: bytes = acoustid.fingerprint(sample_rate, 1, iter([head.tobytes()]), maxlength=LENGTH_S)
    except acoustid.FingerprintGenerationError as error:
        raise TooShort(f"no Chromaprint: {error}") from error
    text = compressed.decode("ascii")
    if not len(_items(text)):
        raise TooShort("too short for a Chromaprint")
    return text


def is_same_recording(one: str, other: str) -> bool:
    """Tell whether two compressed prints are of one recording, whatever it was encoded with; raises AcoustidMissing."""
    _require()
    return bit_error_rate(_items(one), _items(other)) <= SAME_RECORDING


def bit_error_rate(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """
    Return the least share of differing bits over all shifts within 12 s; 1.0 where less than half overlaps.

    >>> bit_error_rate(np.arange(100, dtype=np.uint32) ** 2, np.arange(3, 100, dtype=np.uint32) ** 2)
    0.0
    """
    reach = round(MAX_SHIFT_S / ITEM_S)
    least = 1.0
    for shift in range(-reach, reach + 1):
        a, b = one[max(0, shift) :], other[max(0, -shift) :]
        overlap = min(len(a), len(b))
        if overlap * 2 >= min(len(one), len(other)) and overlap:
            least = min(least, float(np.bitwise_count(a[:overlap] ^ b[:overlap]).mean()) / 32)
    return least


def _require() -> None:
    if chromaprint is None:
        raise AcoustidMissing("libchromaprint is not installed (Debian: apt install libchromaprint1)")


def _items(compressed: str) -> NDArray[np.uint32]:
    items, _ = chromaprint.decode_fingerprint(compressed.encode("ascii"))
    return np.array(items, np.int64).astype(np.uint32)
