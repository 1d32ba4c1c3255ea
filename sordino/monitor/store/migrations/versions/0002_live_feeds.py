"""Live feeds: what was taken from them, and references that have no file of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("references") as references:  # SQLite makes the table anew
        references.alter_column("sha256", existing_type=sa.Text(), nullable=True)
        references.add_column(sa.Column("begins_s", sa.Double(), nullable=True))
    op.create_table(
        "feeds",
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["work_id"], ["works.work_id"], name="fk_feeds_work_id"),
        sa.PrimaryKeyConstraint("work_id", name="pk_feeds"),
    )
    op.create_table(
        "feed_segments",
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("length_s", sa.Double(), nullable=False),
        sa.Column("clock_s", sa.Double(), nullable=True),
        sa.Column("reference_id", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["work_id"], ["feeds.work_id"], name="fk_feed_segments_work_id"),
        sa.PrimaryKeyConstraint("work_id", "sequence", name="pk_feed_segments"),
    )
    op.create_index("ix_feed_segments_sha256", "feed_segments", ["sha256"], unique=False)
