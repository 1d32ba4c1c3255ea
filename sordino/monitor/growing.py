"""A segment of a live feed is laid into the reference that it belongs to, in the catalogue and then in the store."""

from dataclasses import dataclass, replace

import structlog

from sordino.fingerprints.extend import extended, rest_of
from sordino.fingerprints.parts import Prints, nothing
from sordino.monitor.feed import FeedSegment, reference_for
from sordino.monitor.home import Home, alone
from sordino.monitor.store.errors import StoreError
from sordino.monitor.works import Reference, Work

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Grown:
    """A segment as it was taken, and its reference as it is now."""

    segment: FeedSegment
    reference: Reference


def grow(home: Home, work_id: str, folder: str, segment: FeedSegment, piece: Prints, *, hot: bool) -> Grown:
    """
    Lay the prints of a segment into the work's reference and publish it; `hot` goes for a work's first reference.

    The catalogue is saved before the store. What a kill leaves in between is laid into the same place again, which
    changes nothing, or is the beginning of a reference that the store does not know, and is written over. Raises
    BeforeTheFeed, StoreError (`not_found` for a work that is withdrawn) and
    CatalogueError.
    """
    with alone(home.settings.home):
        work = home.store.work(work_id)
        if work.withdrawn:
            raise StoreError("not_found", f"the work {work_id} is withdrawn")
        home.catalogue.refresh()
        reference = reference_for(work_id, work.references, folder, segment.at_s)
        whole = extended(_so_far(home, work, reference), piece, segment.at_s - (reference.begins_s or 0.0))
        stays_hot = home.catalogue.is_hot(_model(work, reference)) if work.references else hot
        home.catalogue.remove(reference.reference_id)
        home.catalogue.add(reference.reference_id, whole.audio, whole.video, hot=stays_hot)
        home.catalogue.save()
        reference = replace(reference, audio_s=whole.audio.duration_s, video_s=whole.video.duration_s)
        segment = replace(segment, reference_id=reference.reference_id)
        home.store.take(work_id, segment, reference)
    return Grown(segment, reference)


def _so_far(home: Home, work: Work, reference: Reference) -> Prints:
    """Return what the reference has already: a new one has the end of the one before."""
    empty = nothing(reference.reference_id, home.catalogue.audio_params, home.catalogue.video_params)
    last = work.references[-1] if work.references else None
    if last is None:
        return empty
    known = any(r.reference_id == reference.reference_id for r in work.references)
    needed = reference.reference_id if known else last.reference_id
    if needed not in home.catalogue.reference_ids:
        log.warning("not in the catalogue: it begins anew", reference_id=needed)
        return empty
    if known:
        return home.catalogue.prints(needed)
    from_s = round((reference.begins_s or 0.0) - (last.begins_s or 0.0))
    return rest_of(home.catalogue.prints(needed), from_s, reference.reference_id)


def _model(work: Work, reference: Reference) -> str:
    """Return the reference that tells whether this one is hot: itself, or the last before it."""
    there = {r.reference_id for r in work.references}
    return reference.reference_id if reference.reference_id in there else work.references[-1].reference_id
