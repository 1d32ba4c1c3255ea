"""
The catalogue of registered works: add, remove, find, open, save.

On disk it is a folder of immutable parts and one manifest that names them. A save writes new parts beside the old and
then replaces the manifest in one step, so a reader sees a whole generation or the one before, through kill -9 and full
disks alike; a running process notices the new manifest at its next `find`.
"""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sordino.fingerprints import align_audio, align_video, checks, index, merge, parts
from sordino.fingerprints.align_audio import AudioAlignment
from sordino.fingerprints.align_video import VideoAlignment
from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.model import AudioPrint, AudioQuery, Match, Region, Span, VideoPrint, VideoQuery
from sordino.fingerprints.params import AudioParams, VideoParams, stamp
from sordino.fingerprints.parts import CatalogueError, Part, Prints
from sordino.fingerprints.search_audio import Pose, References
from sordino.fingerprints.search_video import Expected
from sordino.fingerprints.video import coarser

__all__ = ["Catalogue", "CatalogueError"]

FORMAT = 3
MANIFEST = "manifest.json"
OUTSHINES = 0.3  # of the strongest score in a stretch: a weaker reference says nothing there


@dataclass(frozen=True, slots=True)
class _Entry:
    """
    A part as the manifest names it; `removed` are those of its references that wait to be left out of a merge.

    References that are `hot` and those that are not are never in one part.
    """

    name: str
    reference_ids: tuple[str, ...]
    checksums: dict[str, str]
    removed: frozenset[str] = frozenset()
    hot: bool = False

    @property
    def present(self) -> frozenset[str]:
        return frozenset(self.reference_ids) - self.removed

    def without(self, reference_ids: Set[str]) -> "_Entry":
        return replace(self, removed=self.removed | (reference_ids & frozenset(self.reference_ids)))


@dataclass(frozen=True)
class _Generation:
    number: int = 0
    entries: tuple[_Entry, ...] = ()

    @cached_property
    def reference_ids(self) -> frozenset[str]:
        return frozenset(r for e in self.entries for r in e.present)


@dataclass(slots=True)
class _Staged:
    added: dict[str, Prints] = field(default_factory=dict)
    hot: set[str] = field(default_factory=set)  # of the added ones
    removed: set[str] = field(default_factory=set)


class Catalogue:
    """
    References by their prints. Not thread-safe; several processes may open the same folder, to read and to write.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(Catalogue.open(Path(folder) / "catalogue").reference_ids)
    []
    """

    def __init__(self, folder: Path, audio: AudioParams, video: VideoParams) -> None:
        self._folder = folder
        self.audio_params, self.video_params = audio, video
        self._generation = _Generation()
        self._parts: dict[str, Part] = {}
        self._seen: tuple[int, int, int] | None = None  # the manifest's inode, size and time
        self._staged = _Staged()

    @classmethod
    def open(cls, folder: Path, audio: AudioParams | None = None, video: VideoParams | None = None) -> "Catalogue":
        """
        Open the catalogue in `folder`, which is made if it is not there.

        Raises CatalogueError: `other_parameters` (its prints may not be compared with these parameters'), `newer`
        (written by a newer version), `older` (the works must be registered again), `damaged`, `unreadable`.
        """
        catalogue = cls(folder, audio or AudioParams(), video or VideoParams())
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogueError("unreadable", f"{folder}: {error.strerror}") from error
        catalogue.refresh()
        return catalogue

    @property
    def reference_ids(self) -> frozenset[str]:
        """The references that `find` looks among: those of the last generation seen."""
        return self._generation.reference_ids

    @property
    def generation(self) -> int:
        """How many times this catalogue has been saved, as far as was seen."""
        return self._generation.number

    def hours(self) -> tuple[float, float]:
        """Return hours of sound and of picture in the index."""
        return _hours(self._parts.values())

    def hot_hours(self) -> tuple[float, float]:
        """Return hours of sound and of picture of the hot references: they are few, and worth a closer look."""
        return _hours([self._parts[e.name] for e in self._generation.entries if e.hot])

    def is_hot(self, reference_id: str) -> bool:
        """Tell whether a reference is there and was added as hot."""
        return any(e.hot and reference_id in e.present for e in self._generation.entries)

    def prints(self, reference_id: str) -> Prints:
        """
        Return what is stored of a reference: its print, but for frames without landmarks.

        Raises CatalogueError `not_found` where it is not in the last generation seen.
        """
        for entry in self._generation.entries:
            if reference_id in entry.present:
                ordinal = entry.reference_ids.index(reference_id)
                return self._parts[entry.name].prints(ordinal, self.audio_params, self.video_params)
        raise CatalogueError("not_found", f"{reference_id}: not in the catalogue")

    def add(self, reference_id: str, audio: AudioPrint | None, video: VideoPrint | None, *, hot: bool = False) -> None:
        """
        Stage a reference; `save` publishes it. A few may be `hot`: they are kept apart, to be looked at more closely.

        To replace one, remove and add it before one save: a reader has the one or the other, and never none.

        Raises CatalogueError `other_parameters` for a print of other parameters, `bad_print` for one that can't be one
        (`checks`), `exists` for an id that is taken; one whose removal is staged is free.
        """
        self._check(reference_id, audio, video)
        there = reference_id in self.reference_ids and reference_id not in self._staged.removed
        if there or reference_id in self._staged.added:
            raise CatalogueError("exists", f"{reference_id}: already in the catalogue")
        nothing = parts.nothing(reference_id, self.audio_params, self.video_params)
        self._staged.added[reference_id] = Prints(reference_id, audio or nothing.audio, video or nothing.video)
        if hot:
            self._staged.hot.add(reference_id)

    def remove(self, reference_id: str) -> None:
        """Stage a removal; `save` publishes it. An id that is not there is no error: removing twice is removing."""
        self._staged.added.pop(reference_id, None)
        self._staged.hot.discard(reference_id)
        self._staged.removed.add(reference_id)

    def save(self) -> None:
        """
        Publish what was staged as a new generation, for this and every other process.

        Raises CatalogueError `not_saved` (the disk is full or not writable); the generation before is then untouched,
        and what was staged stays staged.
        """
        if not self._staged.added and not self._staged.removed:
            return
        try:
            with self._locked():
                self.refresh()
                self._publish()
        except OSError as error:
            reason = error.strerror or f"the disk is full ({error})"  # numpy's own, of a short write, has no strerror
            raise CatalogueError("not_saved", f"{self._folder}: {reason}; nothing was changed") from error
        self._staged = _Staged()

    def find(self, audio: AudioQuery | None, video: VideoQuery | None, expected: Sequence[Match] = ()) -> list[Match]:
        """
        Find what the query has of the references, strongest first within a track.

        `expected` are earlier matches of the same stream, their query spans shifted into this query's time (so they
        usually end at or before 0): where a reference was just playing, less evidence is enough.

        Raises CatalogueError `other_parameters` for a query of other parameters, `bad_print` for one that can't be one,
        and as `open` where another process has published what can't be read.
        """
        self._check("query", audio, video)
        self.refresh()
        matches = [] if audio is None else self._find_audio(audio, expected)
        matches += [] if video is None else self._find_video(video, expected)
        return sorted(_standing_out(matches), key=lambda m: (m.track, m.log10_false_positive))

    def glimpse(self, video: VideoQuery) -> float:
        """
        Return how many landmarks a few frames of a query show of any reference, where they show most; 0 for none.

        Few tell nothing, but that more frames are worth looking at. Raises CatalogueError as `find`.
        """
        self._check("query", None, video)
        self.refresh()
        looks = self._looks(video)
        return max((align_video.clearest_glimpse(seen, _pictures(there)) for seen, there in looks), default=0.0)

    def _find_audio(self, query: AudioQuery, expected: Sequence[Match]) -> list[Match]:
        """Search the parts as one: what chance reaches and what others reach is of all of them."""
        entries = self._generation.entries
        there = [self._parts[entry.name] for entry in entries]
        references = References(tuple(part.audio for part in there))
        matches = []
        for found in align_audio.find(query, references, _poses(entries, expected, query)):
            number, ordinal = references.place(found.ordinal)
            if there[number].reference_ids[ordinal] not in entries[number].removed:
                matches.append(_match(there[number], ordinal, found))
        return matches

    def _find_video(self, query: VideoQuery, expected: Sequence[Match]) -> list[Match]:
        return [
            _match(there[found.number][1], found.ordinal, found)
            for seen, there in self._looks(query)
            for found in align_video.find(seen, _pictures(there), _places(there, expected))
            if there[found.number][1].reference_ids[found.ordinal] not in there[found.number][0].removed
        ]

    def _looks(self, query: VideoQuery) -> Iterator[tuple[VideoQuery, list[tuple[_Entry, Part]]]]:
        """Yield what is looked for where: hot references as closely as the query was described, others less so."""
        there = [(entry, self._parts[entry.name]) for entry in self._generation.entries]
        for hot in (False, True):
            if mine := [(entry, part) for entry, part in there if entry.hot == hot]:
                yield query if hot else coarser(query, self.video_params.query_side), mine

    def refresh(self) -> bool:
        """Take up the generation that is on disk now; say whether it is another. Raises as `open`."""
        for _ in range(20):
            seen = self._manifest_seen()
            if seen is None or seen == self._seen:
                return False
            generation = self._read_manifest()
            try:
                mapped = {e.name: self._parts.get(e.name) or self._read_part(e) for e in generation.entries}
            except FileNotFoundError:
                continue  # merged away between reading the manifest and mapping its parts: the next one knows
            self._generation, self._parts, self._seen = generation, mapped, seen
            return True
        raise CatalogueError("damaged", f"{self._folder}: parts that the manifest names are missing")

    def _check(self, name: str, audio: AudioPrint | AudioQuery | None, video: VideoPrint | VideoQuery | None) -> None:
        sound = audio.landmarks if isinstance(audio, AudioQuery) else audio
        pictures = video.landmarks if isinstance(video, VideoQuery) else video
        if (sound and sound.params != self.audio_params) or (pictures and pictures.params != self.video_params):
            raise CatalogueError("other_parameters", f"{name}: its print has other parameters than the catalogue")
        try:
            checks.check(audio, video)
        except ValueError as error:
            raise CatalogueError("bad_print", f"{name}: {error}") from error

    def _manifest_seen(self) -> tuple[int, int, int] | None:
        path = self._folder / MANIFEST
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CatalogueError("unreadable", f"{path}: {error.strerror}") from error
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _read_manifest(self) -> _Generation:
        path = self._folder / MANIFEST
        try:
            manifest: dict[str, Any] = json.loads(path.read_text())
            if manifest["format"] > FORMAT:
                raise CatalogueError("newer", f"{path}: written by a newer version of Sordino")
            if manifest["format"] < FORMAT:
                raise CatalogueError("older", f"{path}: its prints are an older version's; register the works again")
            if manifest.pop("checksum") != _checksum(manifest):
                raise CatalogueError("damaged", f"{path}: the checksum is wrong; restore the file from a copy")
            if manifest["stamp"] != stamp(self.audio_params, self.video_params):
                raise CatalogueError("other_parameters", f"{path}: its prints have other parameters than these")
            entries = tuple(
                _Entry(
                    e["name"],
                    tuple(e["reference_ids"]),
                    dict(e["checksums"]),
                    frozenset(e["removed"]),
                    bool(e.get("hot", False)),  # earlier versions know of none
                )
                for e in manifest["parts"]
            )
            return _Generation(int(manifest["generation"]), entries)
        except OSError as error:
            raise CatalogueError("unreadable", f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CatalogueError("damaged", f"{path}: not a catalogue's manifest ({error})") from error

    def _read_part(self, entry: _Entry) -> Part:
        try:
            return parts.read(self._folder / entry.name, entry.reference_ids, entry.checksums)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise CatalogueError("unreadable", f"{self._folder / entry.name}: {error.strerror}") from error
        except (ValueError, EOFError) as error:
            raise CatalogueError("damaged", f"{self._folder / entry.name}: {error}") from error

    def _publish(self) -> None:
        """Write the staged prints and those of the small parts as one new part, or a few, then the manifest."""
        remaining = [e.without(self._staged.removed) for e in self._generation.entries]
        remaining = [e for e in remaining if e.present]
        there = {r for e in remaining for r in e.present}
        kept: list[_Entry] = []
        fresh: list[Path] = []
        try:
            for hot in (False, True):
                staged = [p for i, p in self._staged.added.items() if (i in self._staged.hot) == hot and i not in there]
                stay, prints = self._merged([e for e in remaining if e.hot == hot], staged)
                kept += [*stay, *self._written(prints, fresh, hot=hot)]
            self._write_manifest(kept)
        except OSError:
            for folder in fresh:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        parts.sync_folder(self._folder)  # outside: from here on the manifest names the new parts
        self.refresh()
        self._sweep()

    def _written(self, prints: Sequence[Prints], fresh: list[Path], *, hot: bool) -> Iterator[_Entry]:
        """Write prints as parts; the folders are noted in `fresh` before, so that a failure can be swept up."""
        for run in merge.cut([parts.length(p) for p in prints], index.MAX_FRAMES):
            fresh.append(self._folder / f"part-{uuid.uuid4().hex[:16]}")
            part = parts.build(merge.some(prints, run), self.audio_params)
            yield _Entry(fresh[-1].name, part.reference_ids, parts.write(part, fresh[-1]), hot=hot)

    def _merged(self, entries: Sequence[_Entry], added: Sequence[Prints]) -> tuple[list[_Entry], Sequence[Prints]]:
        """Return the parts that stay, and the prints of the others and of what is added: each is made when asked."""
        whole = [int(self._parts[e.name].lengths().sum()) for e in entries]
        present = [n - self._removed_frames(e) for n, e in zip(whole, entries, strict=True)]
        chosen = merge.absorbed(present, whole, sum(parts.length(p) for p in added), index.MAX_FRAMES)
        there = self._prints_of([entries[k] for k in chosen])
        prints = merge.Lazily(len(there) + len(added), lambda k: there[k] if k < len(there) else added[k - len(there)])
        return [e for k, e in enumerate(entries) if k not in chosen], prints

    def _prints_of(self, entries: Sequence[_Entry]) -> Sequence[Prints]:
        places = [(e.name, k) for e in entries for k, i in enumerate(e.reference_ids) if i not in e.removed]

        def made(k: int) -> Prints:
            name, ordinal = places[k]
            return self._parts[name].prints(ordinal, self.audio_params, self.video_params)

        return merge.Lazily(len(places), made)

    def _removed_frames(self, entry: _Entry) -> int:
        lengths = self._parts[entry.name].lengths()
        return sum(int(lengths[entry.reference_ids.index(i)]) for i in entry.removed)

    def _write_manifest(self, entries: Sequence[_Entry]) -> None:
        manifest = {
            "format": FORMAT,
            "stamp": stamp(self.audio_params, self.video_params),
            "generation": self._generation.number + 1,
            "parts": [asdict(e) | {"removed": sorted(e.removed)} for e in entries],
        }
        new = self._folder / f"{MANIFEST}.new"
        try:
            with new.open("w") as file:
                json.dump(manifest | {"checksum": _checksum(manifest)}, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / MANIFEST)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        """Delete parts that no generation names: merged ones (maps of them stay valid) and those of killed saves."""
        for folder in self._folder.glob("part-*"):
            if folder.name not in self._parts:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process save at a time; the system gives the lock back when a process dies."""
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


def _hours(there: Iterable[Part]) -> tuple[float, float]:
    lengths_s = [(float(p.audio.durations_s.sum()), float(p.video.durations_s.sum())) for p in there]
    return sum(sound for sound, _ in lengths_s) / 3600, sum(picture for _, picture in lengths_s) / 3600


def _poses(entries: Sequence[_Entry], expected: Sequence[Match], audio: AudioQuery) -> list[Pose]:
    params = audio.landmarks.params
    places = ((reference_id, entry) for entry in entries for reference_id in entry.reference_ids)
    # A reference that was replaced is in two parts, in one of them as removed.
    ordinals = {i: k for k, (i, entry) in enumerate(places) if i not in entry.removed} if expected else {}
    return [
        Pose(
            ordinals[m.reference_id],
            (m.reference.end_s - m.speed * m.query.end_s) * params.frames_per_s,
            m.speed,
            m.pitch_semitones * params.bands_per_octave / 12,
        )
        for m in expected
        if m.track == "audio" and m.reference_id in ordinals
    ]


def _pictures(there: Sequence[tuple[_Entry, Part]]) -> list[VideoIndex]:
    return [part.video for _, part in there]


def _places(there: Sequence[tuple[_Entry, Part]], expected: Sequence[Match]) -> list[Expected]:
    seen = [m for m in expected if m.track == "video" and m.region]
    wanted = {m.reference_id for m in seen}
    ids = {
        reference_id: (number, ordinal)
        for number, (entry, part) in enumerate(there if wanted else ())
        for ordinal, reference_id in enumerate(part.reference_ids)
        if reference_id in wanted and reference_id not in entry.removed
    }
    return [
        Expected(*ids[m.reference_id], m.mirrored, Line(m.reference.end_s - m.speed * m.query.end_s, m.speed), m.region)
        for m in seen
        if m.reference_id in ids and m.region
    ]


def _standing_out(matches: Sequence[Match]) -> list[Match]:
    """
    Leave out sounds that another reference in the same stretch outshines by far.

    They are in tune with what plays there, and that is no accident: the chance of it was not calibrated. The same
    recording registered twice scores alike, so both stay.
    """
    return [
        m
        for m in matches
        if m.track != "audio"
        or not any(
            other.track == "audio"
            and m.score < OUTSHINES * other.score
            and align_audio.share_stretch(m.query, other.query)
            for other in matches
        )
    ]


def _match(part: Part, ordinal: int, found: AudioAlignment | VideoAlignment) -> Match:
    """Return an alignment as a match; figures are as long as they mean something: spans to a millisecond."""
    table = part.audio if isinstance(found, AudioAlignment) else part.video
    lasts_s = float(table.durations_s[ordinal])
    reference = _to_ms(found.reference)
    return Match(
        reference_id=part.reference_ids[ordinal],
        track="audio" if isinstance(found, AudioAlignment) else "video",
        query=_to_ms(found.query),
        reference=Span(min(reference.start_s, lasts_s), min(reference.end_s, lasts_s)),
        speed=round(found.speed, 5),
        pitch_semitones=round(found.pitch_semitones, 2) if isinstance(found, AudioAlignment) else 0.0,
        mirrored=isinstance(found, VideoAlignment) and found.mirrored,
        region=_rounded(found.region) if isinstance(found, VideoAlignment) else None,
        score=round(found.score, 2),
        log10_false_positive=round(found.log10_false_positive, 2),
    )


def _rounded(region: Region) -> Region:
    return Region(*(round(v, 4) for v in (region.x, region.y, region.w, region.h)))


def _to_ms(span: Span) -> Span:
    return Span(round(span.start_s, 3), round(span.end_s, 3))
