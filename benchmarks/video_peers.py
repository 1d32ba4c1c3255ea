"""
Peers on the same clips: vPDQ's rule, on pdqhash, and ffmpeg's `signature`, the MPEG-7 video signature.

Both are helped: they need not find the place, but compare what was planted, cut out of the query, with the same seconds
of the right reference.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import Query, digest
from sordino.fingerprints.model import Span

try:
    import pdqhash
except ImportError:  # its column stays empty
    pdqhash = None

# vPDQ's defaults in ThreatExchange: a frame a second, of sufficient quality; bits that may differ; the share of the
# query's frames that have to match any of the reference's, of which none need be matched.
VPDQ_RATE = 1.0
VPDQ_QUALITY = 50
VPDQ_DISTANCE = 31
VPDQ_SHARE = 0.8
VPDQ_SIDE = 512  # frames are made smaller than this
NAMES = ("vPDQ", "MPEG-7") if pdqhash else ("MPEG-7",)


def asked(query: Query, reference: Path) -> dict[str, bool]:
    """Return for each peer whether it finds what was planted in a query; answers are kept beside it."""
    kept = query.path.with_suffix(f".{digest(__file__)}.json")
    answers: dict[str, bool] = json.loads(kept.read_text()) if kept.exists() else {}
    if not set(NAMES) <= answers.keys():
        answers["MPEG-7"] = signature(query.path, query.truth.query, reference, query.truth.reference)
        if pdqhash:
            answers["vPDQ"] = vpdq(hashes(query.path, query.truth.query), hashes(reference, query.truth.reference))
        kept.write_text(json.dumps(answers))
    return answers


def vpdq(query: NDArray[np.bool_], reference: NDArray[np.bool_]) -> bool:
    """Tell whether vPDQ's rule matches two videos' hashes, bool[n, 256]."""
    if not len(query) or not len(reference):
        return False
    differ = (query[:, None] != reference[None]).sum(axis=2)
    return bool((differ.min(axis=1) <= VPDQ_DISTANCE).mean() >= VPDQ_SHARE)


@cache
def hashes(path: Path, span: Span) -> NDArray[np.bool_]:
    """Return the PDQ hashes of a stretch of a file, a frame a second, but for those of poor quality: bool[n, 256]."""
    good = []
    for picture in _pictures(path, span):
        bits, quality = pdqhash.compute(picture)
        if quality >= VPDQ_QUALITY:
            good.append(bits.astype(bool))
    return np.array(good, bool).reshape(-1, 256)


def _pictures(path: Path, span: Span) -> Iterator[NDArray[np.uint8]]:
    side = f"scale={VPDQ_SIDE}:{VPDQ_SIDE}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", *_cut(path, span), "-map", "0:V:0"]
    command += ["-vf", f"fps={VPDQ_RATE}:start_time=0:round=up,{side}", "-f", "image2pipe", "-c:v", "ppm", "-"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    while raw:
        _, size, _, rest = raw.split(b"\n", 3)
        width, height = map(int, size.split())
        yield np.frombuffer(rest[: 3 * width * height], np.uint8).reshape(height, width, 3)
        raw = rest[3 * width * height :]


def signature(query: Path, query_span: Span, reference: Path, reference_span: Span) -> bool:
    """Tell whether ffmpeg's filter, with its own thresholds, says that two stretches match."""
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-threads", "1", *_cut(query, query_span)]
    command += ["-threads", "1", *_cut(reference, reference_span)]
    graph = "[0:V:0][1:V:0]signature=nb_inputs=2:detectmode=full"
    command += ["-filter_complex", graph, "-an", "-f", "null", "-"]
    said: Any = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
    lines = [line for line in said.decode(errors="replace").splitlines() if "Parsed_signature" in line]
    if not lines:
        raise RuntimeError(f"ffmpeg's signature filter said nothing about {query} and {reference}")
    return any("] matching of video" in line for line in lines)


def _cut(path: Path, span: Span) -> list[str]:
    return ["-ss", f"{span.start_s:.3f}", "-t", f"{span.duration_s:.3f}", "-i", f"file:{path}"]
