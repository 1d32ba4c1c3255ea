"""The tables, as the newest migration leaves them (a test holds the two equal on both databases)."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sordino.monitor.store.errors import StoreError


class Utc(sa.TypeDecorator[datetime]):
    """An instant: aware on the way in, UTC on the way out. SQLite, which knows no zones, is given UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the instant in UTC; StoreError `invalid_value` for a time without a zone."""
        if value is not None and value.tzinfo is None:
            raise StoreError("invalid_value", f"the time {value} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the instant in UTC."""
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Words(sa.TypeDecorator[str]):
    """Text of any length; NUL, which PostgreSQL cannot hold, is refused by both databases."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Return the text; StoreError `invalid_value` for one with NUL in it."""
        if value is not None and "\0" in value:
            raise StoreError("invalid_value", f"the text {value[:80]!r} has a NUL character in it")
        return value


def _words(name: str, *args: Any, **kwargs: Any) -> sa.Column[str]:
    return sa.Column(name, Words, *args, **{"nullable": False, **kwargs})


def _seconds(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def _alignment() -> tuple[sa.Column[Any], ...]:
    """Return what matches and episodes have in common: where it was found, of what, and how sure that is."""
    return (
        _words("reference_id"),
        _words("track"),
        _seconds("query_start_s"),
        _seconds("query_end_s"),
        _seconds("reference_start_s"),
        _seconds("reference_end_s"),
        sa.Column("speed", sa.Double, nullable=False),
        sa.Column("pitch_semitones", sa.Double, nullable=False),
        sa.Column("mirrored", sa.Boolean, nullable=False),
        sa.Column("region", sa.JSON(none_as_null=True)),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("log10_false_positive", sa.Double, nullable=False),
    )


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

works = sa.Table(
    "works",
    metadata,
    _words("work_id", primary_key=True),
    _words("title"),
    _words("kind"),
    _words("isrc", nullable=True, index=True),
    _words("iswc", nullable=True, index=True),
    _words("eidr", nullable=True, index=True),
    _words("policy", nullable=True),
    sa.Column("registered", Utc, nullable=False),
    sa.Column("public_domain", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("withdrawn", Utc),  # a work is never deleted: what was found of it stays explained
    sa.Index("ix_works_registered", "registered", "work_id"),
)

owners = sa.Table(
    "owners",
    metadata,
    _words("work_id", sa.ForeignKey("works.work_id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    _words("holder", index=True),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("territories", sa.JSON, nullable=False),
    _words("policy", nullable=True),
)

references = sa.Table(
    "references",
    metadata,
    _words("reference_id", primary_key=True),
    _words("work_id", sa.ForeignKey("works.work_id"), index=True),
    sa.Column("position", sa.Integer, nullable=False),
    _words("path"),
    _words("sha256", nullable=True, index=True),
    _seconds("audio_s"),
    _seconds("video_s"),
    _words("chromaprint", nullable=True),
    sa.Column("begins_s", sa.Double),  # of a live feed's
    sa.Column("excluded", sa.JSON, nullable=False),
)

feeds = sa.Table(
    "feeds",
    metadata,
    _words("work_id", sa.ForeignKey("works.work_id"), primary_key=True),
    _words("folder"),
)

feed_segments = sa.Table(
    "feed_segments",
    metadata,
    _words("work_id", sa.ForeignKey("feeds.work_id"), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("stream_id"),
    _words("path"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("changed_ns", sa.BigInteger, nullable=False),
    _seconds("at_s"),
    _seconds("length_s"),
    sa.Column("clock_s", sa.Double),
    _words("reference_id", nullable=True),
    _words("sha256", nullable=True, index=True),
    _words("error", nullable=True),
)

licences = sa.Table(
    "licences",
    metadata,
    _words("licence_id", primary_key=True),
    _words("work_id", sa.ForeignKey("works.work_id"), nullable=True, index=True),
    _words("holder", nullable=True, index=True),  # whose catalogue, where no work
    _words("licensee"),
    sa.Column("accounts", sa.JSON, nullable=False),
    sa.Column("territories", sa.JSON, nullable=False),
    sa.Column("starts", Utc),
    sa.Column("expires", Utc),
    sa.Column("commercial", sa.Boolean, nullable=False),
    sa.Column("account_groups", sa.JSON, nullable=False),
    _words("use"),
    sa.Column("removed", Utc),  # kept: recommendations name it
)

account_groups = sa.Table(
    "account_groups",
    metadata,
    _words("name", primary_key=True),
    _words("account", primary_key=True, index=True),
)

streams = sa.Table(
    "streams",
    metadata,
    _words("stream_id", primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),  # segments answered; its row is the stream's lock
    _seconds("end_s"),
    sa.Column("ended", sa.Boolean, nullable=False),
)

segments = sa.Table(
    "segments",
    metadata,
    _words("stream_id", sa.ForeignKey("streams.stream_id"), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    _seconds("start_s"),
    _seconds("duration_s"),
    _words("account", nullable=True),
    _words("error", nullable=True),
    sa.Column("message", sa.JSON, nullable=False),  # without the bytes of inline media
)

_SEGMENT = ["segments.stream_id", "segments.sequence"]

# What was found is history: it names works and references but does not depend on their rows.
matches = sa.Table(
    "matches",
    metadata,
    _words("stream_id", primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True),
    _words("work_id", index=True),
    _words("title"),
    *_alignment(),
    sa.ForeignKeyConstraint(["stream_id", "sequence"], _SEGMENT),
)

episodes = sa.Table(
    "episodes",
    metadata,
    _words("stream_id", sa.ForeignKey("streams.stream_id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    *_alignment(),
    sa.Column("last_sequence", sa.BigInteger, nullable=False),
)

recommendations = sa.Table(
    "recommendations",
    metadata,
    _words("stream_id", primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("recommendation_id", unique=True),
    sa.Column("revision", sa.BigInteger, nullable=False),  # of the stream: which one came last
    sa.Column("saved", Utc, nullable=False, index=True),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("deadline", Utc),
    _words("policy_version"),
    sa.Column("message", sa.JSON, nullable=False),
    sa.ForeignKeyConstraint(["stream_id", "sequence"], _SEGMENT),
    sa.UniqueConstraint("stream_id", "revision"),
)

ladders = sa.Table(
    "ladders",
    metadata,
    _words("stream_id", sa.ForeignKey("streams.stream_id"), primary_key=True),
    _words("rung", nullable=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    _seconds("at_s"),
    _seconds("grace_s"),
    _seconds("music_s"),
    _seconds("picture_s"),
    _seconds("clean_s"),
)

spent = sa.Table(
    "spent",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),  # UTC
    _words("kind", primary_key=True),
    _words("name", primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),  # answers acted on without a human
)

cases = sa.Table(
    "cases",
    metadata,
    _words("case_id", primary_key=True),
    _words("kind"),
    _words("subject_kind"),
    _words("subject"),
    _words("work_id", nullable=True),
    _words("why"),
    sa.Column("opened", Utc, nullable=False),
    sa.Column("closed", Utc),
)
_open = cases.c.closed.is_(None)
sa.Index(  # one is open at a time
    "ix_cases_open",
    cases.c.kind,
    cases.c.subject_kind,
    cases.c.subject,
    unique=True,
    sqlite_where=_open,
    postgresql_where=_open,
)
