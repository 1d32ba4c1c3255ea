"""
The catalogue of registered works: add, remove, find, open, save.

On disk it is a folder of immutable parts and one manifest that names them. A save writes new parts beside the old and
then replaces the manifest in one step, so a reader sees a whole generation or the one before, through kill -9 and full
disks alike; a running process notices the new manifest at its next `find`.
"""

import fcntl
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sordino.fingerprints import checks, finding, index, manifest, merge, parts
from sordino.fingerprints.manifest import Entry, Generation
from sordino.fingerprints.model import AudioPrint, AudioQuery, Match, VideoPrint, VideoQuery
from sordino.fingerprints.params import AudioParams, VideoParams, stamp
from sordino.fingerprints.parts import CatalogueError, Part, Prints

__all__ = ["Catalogue", "CatalogueError"]


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
        self._generation = Generation()
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
        matches = [] if audio is None else finding.find_audio(audio, self._there(), expected)
        matches += [] if video is None else finding.find_video(video, self._there(), expected)
        return sorted(matches, key=lambda m: (m.track, m.log10_false_positive))

    def glimpse(self, video: VideoQuery) -> float:
        """
        Return how many landmarks a few frames of a query show of any reference, where they show most; 0 for none.

        Few tell nothing, but that more frames are worth looking at. Raises CatalogueError as `find`.
        """
        self._check("query", None, video)
        self.refresh()
        return finding.glimpse(video, self._there())

    def _there(self) -> list[tuple[Entry, Part]]:
        return [(entry, self._parts[entry.name]) for entry in self._generation.entries]

    def refresh(self) -> bool:
        """Take up the generation that is on disk now; say whether it is another. Raises as `open`."""
        for _ in range(20):
            seen = manifest.state(self._folder)
            if seen is None or seen == self._seen:
                return False
            generation = manifest.read(self._folder, stamp(self.audio_params, self.video_params))
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

    def _read_part(self, entry: Entry) -> Part:
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
        kept: list[Entry] = []
        fresh: list[Path] = []
        try:
            for hot in (False, True):
                staged = [p for i, p in self._staged.added.items() if (i in self._staged.hot) == hot and i not in there]
                stay, prints = self._merged([e for e in remaining if e.hot == hot], staged)
                kept += [*stay, *self._written(prints, fresh, hot=hot)]
            generation = Generation(self._generation.number + 1, tuple(kept))
            manifest.write(self._folder, generation, stamp(self.audio_params, self.video_params))
        except OSError:
            for folder in fresh:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        parts.sync_folder(self._folder)  # outside: from here on the manifest names the new parts
        self.refresh()
        self._sweep()

    def _written(self, prints: Sequence[Prints], fresh: list[Path], *, hot: bool) -> Iterator[Entry]:
        """Write prints as parts; the folders are noted in `fresh` before, so that a failure can be swept up."""
        for run in merge.cut([parts.length(p) for p in prints], index.MAX_FRAMES):
            fresh.append(self._folder / f"part-{uuid.uuid4().hex[:16]}")
            part = parts.build(merge.some(prints, run), self.audio_params)
            yield Entry(fresh[-1].name, part.reference_ids, parts.write(part, fresh[-1]), hot=hot)

    def _merged(self, entries: Sequence[Entry], added: Sequence[Prints]) -> tuple[list[Entry], Sequence[Prints]]:
        """Return the parts that stay, and the prints of the others and of what is added: each is made when asked."""
        whole = [int(self._parts[e.name].lengths().sum()) for e in entries]
        present = [n - self._removed_frames(e) for n, e in zip(whole, entries, strict=True)]
        chosen = merge.absorbed(present, whole, sum(parts.length(p) for p in added), index.MAX_FRAMES)
        there = self._prints_of([entries[k] for k in chosen])
        prints = merge.Lazily(len(there) + len(added), lambda k: there[k] if k < len(there) else added[k - len(there)])
        return [e for k, e in enumerate(entries) if k not in chosen], prints

    def _prints_of(self, entries: Sequence[Entry]) -> Sequence[Prints]:
        places = [(e.name, k) for e in entries for k, i in enumerate(e.reference_ids) if i not in e.removed]

        def made(k: int) -> Prints:
            name, ordinal = places[k]
            return self._parts[name].prints(ordinal, self.audio_params, self.video_params)

        return merge.Lazily(len(places), made)

    def _removed_frames(self, entry: Entry) -> int:
        lengths = self._parts[entry.name].lengths()
        return sum(int(lengths[entry.reference_ids.index(i)]) for i in entry.removed)

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


def _hours(there: Iterable[Part]) -> tuple[float, float]:
    lengths_s = [(float(p.audio.durations_s.sum()), float(p.video.durations_s.sum())) for p in there]
    return sum(sound for sound, _ in lengths_s) / 3600, sum(picture for _, picture in lengths_s) / 3600
