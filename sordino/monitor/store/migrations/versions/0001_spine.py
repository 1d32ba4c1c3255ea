"""The spine: works, owners, references, licences; streams, segments, matches, episodes, recommendations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name="pk_streams"),
    )
    op.create_table(
        "works",
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("isrc", sa.Text(), nullable=True),
        sa.Column("iswc", sa.Text(), nullable=True),
        sa.Column("eidr", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("registered", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("work_id", name="pk_works"),
    )
    op.create_index("ix_works_eidr", "works", ["eidr"], unique=False)
    op.create_index("ix_works_isrc", "works", ["isrc"], unique=False)
    op.create_index("ix_works_iswc", "works", ["iswc"], unique=False)
    op.create_index("ix_works_registered", "works", ["registered", "work_id"], unique=False)
    op.create_table(
        "episodes",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("track", sa.Text(), nullable=False),
        sa.Column("query_start_s", sa.Double(), nullable=False),
        sa.Column("query_end_s", sa.Double(), nullable=False),
        sa.Column("reference_start_s", sa.Double(), nullable=False),
        sa.Column("reference_end_s", sa.Double(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=False),
        sa.Column("pitch_semitones", sa.Double(), nullable=False),
        sa.Column("mirrored", sa.Boolean(), nullable=False),
        sa.Column("region", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("log10_false_positive", sa.Double(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.stream_id"], name="fk_episodes_stream_id"),
        sa.PrimaryKeyConstraint("stream_id", "position", name="pk_episodes"),
    )
    op.create_table(
        "licences",
        sa.Column("licence_id", sa.Text(), nullable=False),
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("licensee", sa.Text(), nullable=False),
        sa.Column("accounts", sa.JSON(), nullable=False),
        sa.Column("territories", sa.JSON(), nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("commercial", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["work_id"], ["works.work_id"], name="fk_licences_work_id"),
        sa.PrimaryKeyConstraint("licence_id", name="pk_licences"),
    )
    op.create_index("ix_licences_work_id", "licences", ["work_id"], unique=False)
    op.create_table(
        "owners",
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("territories", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["work_id"], ["works.work_id"], name="fk_owners_work_id"),
        sa.PrimaryKeyConstraint("work_id", "position", name="pk_owners"),
    )
    op.create_index("ix_owners_holder", "owners", ["holder"], unique=False)
    op.create_table(
        "references",
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("audio_s", sa.Double(), nullable=False),
        sa.Column("video_s", sa.Double(), nullable=False),
        sa.Column("chromaprint", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["work_id"], ["works.work_id"], name="fk_references_work_id"),
        sa.PrimaryKeyConstraint("reference_id", name="pk_references"),
    )
    op.create_index("ix_references_sha256", "references", ["sha256"], unique=False)
    op.create_index("ix_references_work_id", "references", ["work_id"], unique=False)
    op.create_table(
        "segments",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.stream_id"], name="fk_segments_stream_id"),
        sa.PrimaryKeyConstraint("stream_id", "sequence", name="pk_segments"),
    )
    op.create_table(
        "matches",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("work_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("track", sa.Text(), nullable=False),
        sa.Column("query_start_s", sa.Double(), nullable=False),
        sa.Column("query_end_s", sa.Double(), nullable=False),
        sa.Column("reference_start_s", sa.Double(), nullable=False),
        sa.Column("reference_end_s", sa.Double(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=False),
        sa.Column("pitch_semitones", sa.Double(), nullable=False),
        sa.Column("mirrored", sa.Boolean(), nullable=False),
        sa.Column("region", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("log10_false_positive", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id", "sequence"], ["segments.stream_id", "segments.sequence"], name="fk_matches_stream_id"
        ),
        sa.PrimaryKeyConstraint("stream_id", "sequence", "position", name="pk_matches"),
    )
    op.create_index("ix_matches_work_id", "matches", ["work_id"], unique=False)
    op.create_table(
        "recommendations",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recommendation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("saved", sa.DateTime(timezone=True), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id", "sequence"], ["segments.stream_id", "segments.sequence"], name="fk_recommendations_stream_id"
        ),
        sa.PrimaryKeyConstraint("stream_id", "sequence", name="pk_recommendations"),
        sa.UniqueConstraint("recommendation_id", name="uq_recommendations_recommendation_id"),
        sa.UniqueConstraint("stream_id", "revision", name="uq_recommendations_stream_id"),
    )
    op.create_index("ix_recommendations_saved", "recommendations", ["saved"], unique=False)
