"""Pure: does a licence cover this use, and why not."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sordino.monitor.ownership import concerned
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Licence, Work
from sordino.pipelines.messages import LicenceChecked, Segment


def check(segment: Segment, works: Iterable[Work], facts: Facts, now: datetime) -> tuple[LicenceChecked, ...]:
    """
    Look up every licence of the works, and every licence that the uploader declares, in order of their ids.

    A declared licence counts only if it is on record: declaring is not having. A licence for a holder's catalogue
    covers what the holder owns of a work; a use of it needs the other owners' licences, too.
    """
    found = {work.work_id: work for work in works}
    checked = [row for work in found.values() for row in _of_work(work, segment, facts, now)]
    looked_up = {row.licence_id for row in checked}
    on_record = {licence.licence_id: licence for licence in facts.licences}
    for licence_id in set(segment.declared_licences) - looked_up:
        work_id, why = "", "declared by the uploader, but no such licence is on record for a work found here"
        if licence_id in on_record:
            work_id = on_record[licence_id].work_id or ""
            why = "declared by the uploader, but for a work not found here"
        checked.append(LicenceChecked(licence_id=licence_id, work_id=work_id, covers=False, why=why))
    return tuple(sorted(checked, key=lambda c: (c.licence_id, c.work_id)))


def _of_work(work: Work, segment: Segment, facts: Facts, now: datetime) -> Iterator[LicenceChecked]:
    holders = {owner.holder for owner in work.owners}
    gaps = {
        licence.licence_id: (licence, _gaps(licence, segment, facts, now))
        for licence in facts.licences
        if licence.work_id == work.work_id or licence.holder in holders
    }
    agreed = {licence.holder for licence, missing in gaps.values() if not missing}
    needed = {owner.holder for owner in concerned(work, segment.territory)}
    for licence_id, (licence, missing) in gaps.items():
        why = list(missing)
        if licence.holder is not None and needed - agreed:
            others = plain(", ".join(sorted(needed - agreed - {licence.holder})))
            why += [f"only what {plain(licence.holder)} owns, and {others} own the rest"] if others else []
        covers = f"covers this use by {plain(segment.account or 'any account')}"
        yield LicenceChecked(
            licence_id=licence_id, work_id=work.work_id, covers=not why, why="; ".join(why) if why else covers
        )


def _gaps(licence: Licence, segment: Segment, facts: Facts, now: datetime) -> list[str]:
    """Return why a licence's limits aren't met."""
    gaps = (
        _account(licence, segment, facts),
        _limited("territory", licence.territories, segment.territory),
        _played(licence, segment),
        *_when_and_what(licence, segment, now),
    )
    return [gap for gap in gaps if gap]


def _account(licence: Licence, segment: Segment, facts: Facts) -> str:
    if segment.account is not None and not facts.account_groups.isdisjoint(licence.account_groups):
        return ""
    groups = tuple(f"group {name}" for name in licence.account_groups)
    return _limited("account", licence.accounts + groups, segment.account)


def _played(licence: Licence, segment: Segment) -> str:
    actual = "live" if segment.live else "recorded"
    return "" if licence.use in ("any", actual) else f"only for {licence.use} use, and the segment is {actual}"


def _limited(what: str, allowed: tuple[str, ...], actual: str | None) -> str:
    """Return why the limit isn't met, or nothing; a limit is never met by what isn't known."""
    if not allowed or actual in allowed:
        return ""
    names = f"only for {what} {plain(', '.join(allowed))}"
    return f"{names}, not {plain(actual)}" if actual is not None else f"{names}, and the segment names none"


def _when_and_what(licence: Licence, segment: Segment, now: datetime) -> tuple[str, str, str]:
    starts, expires = licence.starts, licence.expires
    return (
        f"begins {as_utc(starts):%Y-%m-%d %H:%M} UTC" if starts is not None and as_utc(now) < as_utc(starts) else "",
        f"ended {as_utc(expires):%Y-%m-%d %H:%M} UTC" if expires is not None and as_utc(now) >= as_utc(expires) else "",
        "not for commercial use, and the segment sells" if segment.commercial and not licence.commercial else "",
    )


def as_utc(at: datetime) -> datetime:
    """Return the time in UTC; one without a zone is taken to be UTC, never the machine's local time."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
