"""What the product remembers; every method is one transaction, done wholly or not at all."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from types import TracebackType

import sqlalchemy as sa

from sordino.monitor.brakes import Usage
from sordino.monitor.cases import Case, CaseKind, Subject
from sordino.monitor.feed import Feed, FeedSegment
from sordino.monitor.ladder import Ladder
from sordino.monitor.store import cases, effects, feeds, registry, streams
from sordino.monitor.store.database import connect, migrate, reading, writing
from sordino.monitor.store.effects import Effects
from sordino.monitor.store.streams import Stream
from sordino.monitor.timeline import Episode
from sordino.monitor.works import Excluded, Facts, Licence, Ownership, Reference, Work
from sordino.pipelines.messages import Match, Recommendation, Segment


class Store:
    """
    The open database. Safe to share between threads; of processes, each opens its own.

    Any method may raise StoreError: see there for the codes, and for which of them a pause may cure.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """
        Open `sqlite:///PATH` (made where it is not there) or `postgresql://...`, and bring its tables up to date.

        StoreError `database_newer` where a newer program has written to it.
        """
        engine = connect(url)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Works and licences

    def add_work(self, work: Work) -> None:
        """
        Register a work with its owners and references; `registered` is now where it is None.

        StoreError `conflict` where the work or one of its references is there already.
        """
        with writing(self._engine) as connection:
            registry.add_work(connection, work)

    def work(self, work_id: str) -> Work:
        """Return a work, withdrawn or not; StoreError `not_found`."""
        with reading(self._engine) as connection:
            return registry.one_work(connection, work_id)

    def works(self, holder: str | None = None) -> Iterator[Work]:
        """Yield the works that are not withdrawn (of one holder), in order of registration, a page at a time."""
        last: Work | None = None
        while True:
            with reading(self._engine) as connection:
                page = registry.page_of_works(connection, holder, after=last)
            yield from page
            if len(page) < registry.PAGE:
                return
            last = page[-1]

    def withdraw_work(self, work_id: str) -> None:
        """
        Take a work out of lists and facts; what was found of it stays. Twice is as once.

        StoreError `not_found`.
        """
        with writing(self._engine) as connection:
            registry.withdraw_work(connection, work_id)

    def references(self) -> Iterator[Reference]:
        """Yield the references of works that are not withdrawn."""
        for work in self.works():
            yield from work.references

    def reference_by_sha256(self, sha256: str, holder: str) -> Reference | None:
        """Return what this holder has registered with these very bytes, withdrawn works aside."""
        with reading(self._engine) as connection:
            return registry.reference_by_sha256(connection, sha256, holder)

    def keeps(self, sha256: str) -> bool:
        """Tell whether these bytes are the media of a reference or of a feed's segment, of withdrawn works too."""
        with reading(self._engine) as connection:
            return registry.keeps(connection, sha256)

    def add_licence(self, licence: Licence) -> None:
        """Add a licence; StoreError `not_found` for a work that is not there or withdrawn, `conflict`."""
        with writing(self._engine) as connection:
            registry.add_licence(connection, licence)

    def licences(self, work_id: str | None = None) -> list[Licence]:
        """Return the licences, expired ones too: all, or those for one work and for its holders' catalogues."""
        with reading(self._engine) as connection:
            return registry.read_licences(connection, None if work_id is None else [work_id])

    def remove_licence(self, licence_id: str) -> None:
        """Take a licence out of lists and facts; StoreError `not_found`."""
        with writing(self._engine) as connection:
            registry.remove_licence(connection, licence_id)

    def facts_for(self, reference_ids: Iterable[str], account: str | None = None) -> Facts:
        """Return the works of these references (withdrawn ones left out), their licences, and the account's groups."""
        with reading(self._engine) as connection:
            return registry.facts_for(connection, reference_ids, account)

    def add_to_group(self, name: str, accounts: Iterable[str]) -> list[str]:
        """Add accounts to a group of accounts, and return all that are in it."""
        with writing(self._engine) as connection:
            registry.add_to_group(connection, name, accounts)
            return registry.group(connection, name)

    def take_from_group(self, name: str, accounts: Iterable[str]) -> list[str]:
        """Take accounts out of a group and return those that are left; StoreError `not_found`."""
        with writing(self._engine) as connection:
            registry.take_from_group(connection, name, accounts)
            return registry.group(connection, name)

    def add_owner(self, work_id: str, owner: Ownership) -> Work:
        """Add an owner to a work and return the work; StoreError `not_found`, for a withdrawn work too."""
        with writing(self._engine) as connection:
            return registry.add_owner(connection, work_id, owner)

    def exclude(self, reference_id: str, excluded: Excluded) -> Reference:
        """
        Exclude a stretch of a reference from claims, and return the reference.

        StoreError `not_found`, `invalid_value` for a stretch after its end.
        """
        with writing(self._engine) as connection:
            return registry.exclude(connection, reference_id, excluded)

    # Live feeds

    def begin_feed(self, work: Work, folder: str) -> None:
        """Register a work whose references are made from the segments in a folder; StoreError `conflict`."""
        with writing(self._engine) as connection:
            feeds.begin(connection, work, folder)

    def find_feed(self, folder: str, holder: str, title: str) -> str | None:
        """Return the work (not withdrawn) that this holder has followed in this folder under this title."""
        with reading(self._engine) as connection:
            return feeds.find(connection, folder, holder, title)

    def feed(self, work_id: str) -> Feed:
        """Return what was taken from a feed; StoreError `not_found` for a work that is not live or not there."""
        with reading(self._engine) as connection:
            return feeds.read(connection, work_id)

    def take(self, work_id: str, segment: FeedSegment, reference: Reference | None) -> None:
        """
        Note that a segment was taken from a feed, and its reference as it is with it: inserted or lengthened.

        A segment of the same sequence is replaced. StoreError `not_found` for a work that is not live or withdrawn.
        """
        with writing(self._engine) as connection:
            feeds.take(connection, work_id, segment, reference)

    # Streams

    def stream(self, stream_id: str) -> Stream:
        """Return how far a stream has come; one that is not known is at its beginning."""
        with reading(self._engine) as connection:
            return streams.stream(connection, stream_id)

    def segment_answer(self, stream_id: str, sequence: int) -> Recommendation | None:
        """Return what was answered to a segment, for its re-delivery."""
        with reading(self._engine) as connection:
            return streams.answer(connection, stream_id, sequence)

    def segment_error(self, stream_id: str, sequence: int) -> str | None:
        """Return why an answered segment's media could not be read (`code: message`), if it could not."""
        with reading(self._engine) as connection:
            return streams.error_of(connection, stream_id, sequence)

    def segment_end_s(self, stream_id: str, sequence: int) -> float | None:
        """Return the stream time at which a segment ended, if it has been answered."""
        with reading(self._engine) as connection:
            return streams.segment_end_s(connection, stream_id, sequence)

    def episodes(self, stream_id: str) -> list[Episode]:
        """Return the stream's episodes so far."""
        with reading(self._engine) as connection:
            return streams.episodes(connection, stream_id)

    def matches(self, stream_id: str, sequence: int) -> list[Match]:
        """Return what was found in a segment."""
        with reading(self._engine) as connection:
            return streams.matches(connection, stream_id, sequence)

    def latest_recommendation(self, stream_id: str) -> Recommendation | None:
        """Return the stream's last answer: the one given last, where segments came out of order."""
        with reading(self._engine) as connection:
            return streams.latest(connection, stream_id)

    def recommendations(self, stream_id: str | None = None, limit: int = 100) -> list[Recommendation]:
        """Return at most `limit` recommendations (of one stream), the newest first."""
        with reading(self._engine) as connection:
            return streams.newest(connection, stream_id, limit)

    def save(
        self,
        segment: Segment,
        matches: Iterable[Match],
        episodes: Iterable[Episode],
        recommendation: Recommendation,
        error: str | None = None,
        revision: int | None = None,
        changes: Effects | None = None,
    ) -> Recommendation:
        """
        Save a segment's answer and return it; where the segment has one already, change nothing and return that one.

        `episodes` are all of the stream's and replace those stored; `error` says why the media could not be read. The
        bytes of inline media are not stored. Given the `revision` of the stream that `episodes` were made from, raises
        StoreError `stale` where another worker has saved since: read the stream again and decide again. So it does
        where a quota has been used up since of `changes`, which are what the answer changes besides.
        """
        with writing(self._engine) as connection:
            stands = streams.save(connection, segment, matches, episodes, recommendation, error, revision)
            if changes is not None and stands is recommendation:
                effects.apply(connection, segment.stream_id, changes)
            return stands

    # The live ladder, brakes and cases

    def ladder(self, stream_id: str) -> Ladder:
        """Return where a stream stands on the live ladder; one that is not known stands at the bottom."""
        with reading(self._engine) as connection:
            return effects.ladder(connection, stream_id)

    def usage(self, now: datetime, subjects: Collection[Subject]) -> Usage:
        """Return what was done without a human for these subjects on this UTC day, and which are in quarantine."""
        with reading(self._engine) as connection:
            return effects.usage(connection, now, subjects)

    def cases(self, kind: CaseKind | None = None) -> list[Case]:
        """Return the open cases (of a kind), the oldest first."""
        with reading(self._engine) as connection:
            return cases.listed(connection, kind)

    def release(self, reference_id: str, now: datetime) -> Case:
        """
        Take a reference out of quarantine, its quota of the day unused, and return the case that is closed with it.

        StoreError `not_found` where it is in none.
        """
        with writing(self._engine) as connection:
            return effects.release(connection, reference_id, now)
