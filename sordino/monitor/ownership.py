"""Pure: whose a work is where, and in which territories a use of it needs their leave."""

from collections.abc import Iterable

from sordino.monitor.works import Ownership, Work

SHARE_SLACK = 0.001  # thirds are written 33.34 %


def owners_in(work: Work, territory: str | None) -> tuple[Ownership, ...]:
    """Return who owns the work there; where it isn't known (None), the owners everywhere."""
    return tuple(o for o in work.owners if not o.territories or territory in o.territories)


def concerned(work: Work, territory: str | None) -> tuple[Ownership, ...]:
    """Return the owners whose wishes count: those of the territory, or all where it isn't known."""
    return work.owners if territory is None else owners_in(work, territory)


def held_in(work: Work, shown: frozenset[str]) -> frozenset[str]:
    """Return in which of the territories the work is owned; in all, where no owner is on record."""
    if not work.owners or any(not owner.territories for owner in work.owners):
        return shown
    return shown & {territory for owner in work.owners for territory in owner.territories}


def over_claimed(work: Work, territory: str | None) -> tuple[str | None, float] | None:
    """
    Return where more than the whole of a work is claimed, and how much, if so; a territory of None means everywhere.

    Where the segment's territory isn't known, the first in which that is so.

    >>> both = (Ownership("A", 0.7), Ownership("B", 0.7, ("DE",)))
    >>> over_claimed(Work("w", "Song", "recording", both), None)
    ('DE', 1.4)
    """
    named = {place for owner in work.owners for place in owner.territories}
    places: Iterable[str | None] = [territory] if territory else [None, *sorted(named)]
    for place in places:
        share = sum(owner.share for owner in owners_in(work, place))
        if share > 1 + SHARE_SLACK:
            return place, share
    return None
