"""Pure: does a licence cover this use, and why not."""

from collections.abc import Collection
from datetime import UTC, datetime

from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Licence
from sordino.pipelines.messages import LicenceChecked, Segment


def check(segment: Segment, work_ids: Collection[str], facts: Facts, now: datetime) -> tuple[LicenceChecked, ...]:
    """
    Look up every licence of the works, and every licence that the uploader declares, in order of their ids.

    A declared licence counts only if it is on record: declaring is not having.
    """
    of_works = {licence.licence_id: licence for licence in facts.licences if licence.work_id in work_ids}
    elsewhere = {licence.licence_id: licence for licence in facts.licences if licence.work_id not in work_ids}
    checked = [_checked(licence, segment, now) for licence in of_works.values()]
    for licence_id in set(segment.declared_licences) - of_works.keys():
        if licence_id in elsewhere:
            work_id, why = elsewhere[licence_id].work_id, "declared by the uploader, but for a work not found here"
        else:
            work_id, why = "", "declared by the uploader, but no such licence is on record for a work found here"
        checked.append(LicenceChecked(licence_id=licence_id, work_id=work_id, covers=False, why=why))
    return tuple(sorted(checked, key=lambda c: (c.licence_id, c.work_id)))


def _checked(licence: Licence, segment: Segment, now: datetime) -> LicenceChecked:
    gaps = [gap for gap in (*_who_and_where(licence, segment), *_when_and_what(licence, segment, now)) if gap]
    return LicenceChecked(
        licence_id=licence.licence_id,
        work_id=licence.work_id,
        covers=not gaps,
        why="; ".join(gaps) if gaps else f"covers this use by {plain(segment.account or 'any account')}",
    )


def _who_and_where(licence: Licence, segment: Segment) -> tuple[str, str]:
    return (
        _limited("account", licence.accounts, segment.account),
        _limited("territory", licence.territories, segment.territory),
    )


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
