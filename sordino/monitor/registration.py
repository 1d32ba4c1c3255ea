"""A media file becomes a work with one reference."""

import os
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sordino.monitor.home import Home, alone, forget_media, keep_media
from sordino.monitor.store.errors import StoreError
from sordino.monitor.works import Reference, Work
from sordino.pipelines import acoustid, analyse
from sordino.pipelines.analyse import ReferencePrints

MIN_LANDMARKS = 60  # two seconds of music: less than this is found nowhere
MIN_FRAMES = 3


class Ineligible(Exception):  # noqa: N818 - what is said of the file
    """Media that can't be registered because it could never be recognised; `code` is a word, `str` one line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a file."""

    reference: Reference
    warnings: tuple[str, ...]


def register(home: Home, path: Path, work: Work, *, kind_is_given: bool = True, hot: bool = False) -> Registered:
    """
    Fingerprint the file and add it as the reference of `work`, which is new; durable when this returns.

    Unless its kind was given, the work is a film where the media has pictures and a recording where it has none.

    The same bytes of the same holder are registered once: the second time returns the first, with a warning (and makes
    it `hot`, if so asked). The
    catalogue is saved before the store, so a kill in between leaves a print that no work owns (and that nothing acts
    on), never a work that is not looked for. Raises MediaError, DecoderMissing, Ineligible, CatalogueError, StoreError
    and OSError.
    """
    sha256 = keep_media(home.settings.home, path)
    before = _before(home, work, sha256)
    if before is not None:
        if hot:
            mark(home, before.reference.work_id, hot=True)
        return before
    try:
        return _registered(home, path, work, sha256, kind_is_given=kind_is_given, hot=hot)
    except Exception:
        if not home.store.keeps(sha256):
            forget_media(home.settings.home, sha256)
        raise


def _registered(home: Home, path: Path, work: Work, sha256: str, *, kind_is_given: bool, hot: bool) -> Registered:
    prints = analyse.reference(path, home.catalogue)
    findings = _examined(path, prints) + _same_recordings(home, prints)
    new = Reference(
        reference_id=f"R{uuid.uuid4().hex[:16]}",
        work_id=work.work_id,
        path=os.fsencode(path).decode("utf-8", "backslashreplace"),  # no database takes a name that is no UTF-8
        sha256=sha256,
        audio_s=prints.audio_s,
        video_s=prints.video_s,
        chromaprint=prints.chromaprint,
    )
    kind = work.kind if kind_is_given else "film" if prints.video_s else "recording"
    with alone(home.settings.home):
        before = _before(home, work, sha256)
        if before is not None:  # somebody else was faster with the same file
            return before
        home.catalogue.add(new.reference_id, prints.audio, prints.video, hot=hot)
        try:
            home.catalogue.save()
            home.store.add_work(replace(work, kind=kind, references=(new,), registered=datetime.now(UTC)))
        except Exception:
            home.catalogue.remove(new.reference_id)  # or the next save would publish it, and no work would own it
            raise
    return Registered(new, prints.warnings + findings)


def _before(home: Home, work: Work, sha256: str) -> Registered | None:
    """Return what this holder registered with these very bytes before."""
    before = home.store.reference_by_sha256(sha256, work.owners[0].holder)
    if before is None:
        return None
    return Registered(before, (f"already registered: the same file is work {before.work_id}",))


def withdraw(home: Home, work_id: str) -> Work:
    """
    Withdraw a work: nothing acts on it from now on, and its prints leave the catalogue.

    What was found of it stays in the store, its media in the media store: they are evidence. Raises StoreError.
    """
    with alone(home.settings.home):
        work = home.store.work(work_id)
        home.store.withdraw_work(work_id)
        for reference in work.references:
            home.catalogue.remove(reference.reference_id)
        home.catalogue.save()
    return work


def mark(home: Home, work_id: str, *, hot: bool) -> Work:
    """
    Make a work's references hot, or no longer; running processes know it from their next search on.

    Raises StoreError `not_found`, for a work that is withdrawn too, and CatalogueError.
    """
    with alone(home.settings.home):
        work = home.store.work(work_id)
        if work.withdrawn:
            raise StoreError("not_found", f"the work {work_id} is withdrawn")
        home.catalogue.refresh()
        for reference_id in (r.reference_id for r in work.references):
            if home.catalogue.is_hot(reference_id) == hot:
                continue
            prints = home.catalogue.prints(reference_id)
            home.catalogue.remove(reference_id)
            home.catalogue.add(reference_id, prints.audio, prints.video, hot=hot)
        home.catalogue.save()
    return work


def _examined(path: Path, prints: ReferencePrints) -> tuple[str, ...]:
    """Say what of the file can't be recognised; raise where nothing can."""
    audible = len(prints.audio.frames) >= MIN_LANDMARKS
    visible = int((np.diff(prints.video.starts) > 0).sum()) >= MIN_FRAMES
    if not audible and not visible:
        raise Ineligible(
            "nothing_to_recognise",
            f"{path.name}: {prints.audio_s:.1f} s of sound and {prints.video_s:.1f} s of picture have nothing to "
            "recognise them by (too short, silent, or flat)",
        )
    said = []
    if prints.audio_s and not audible:
        said.append("its sound is too short or too quiet to be recognised")
    if prints.video_s and not visible:
        said.append("its picture is too short or too flat to be recognised")
    return tuple(said)


def _same_recordings(home: Home, prints: ReferencePrints) -> tuple[str, ...]:
    """Name the works that are this very recording: the index proposes, Chromaprint decides."""
    works = home.store.facts_for([m.reference_id for m in prints.looks_like]).works
    said = []
    for reference_id, work in works.items():
        theirs = next(r.chromaprint for r in work.references if r.reference_id == reference_id)
        if prints.chromaprint and theirs and acoustid.is_same_recording(prints.chromaprint, theirs):
            holders = " and ".join(owner.holder for owner in work.owners)
            said.append(f"this recording is already registered as {work.work_id} ({work.title}; {holders})")
    return tuple(said)
