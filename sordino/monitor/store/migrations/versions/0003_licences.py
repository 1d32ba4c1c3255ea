"""Licences of catalogues, for groups of accounts and for live use; owners' policies; what nobody's claim rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("licences") as licences:  # SQLite makes the table anew
        licences.alter_column("work_id", existing_type=sa.Text(), nullable=True)
        licences.add_column(sa.Column("holder", sa.Text(), nullable=True))
        licences.add_column(sa.Column("account_groups", sa.JSON(), nullable=False, server_default="[]"))
        licences.add_column(sa.Column("use", sa.Text(), nullable=False, server_default="any"))
        licences.create_index("ix_licences_holder", ["holder"], unique=False)
    with op.batch_alter_table("works") as works:
        works.add_column(sa.Column("public_domain", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("owners") as owners:
        owners.add_column(sa.Column("policy", sa.Text(), nullable=True))
    with op.batch_alter_table("references") as references:
        references.add_column(sa.Column("excluded", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "account_groups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "account", name="pk_account_groups"),
    )
    op.create_index("ix_account_groups_account", "account_groups", ["account"], unique=False)
