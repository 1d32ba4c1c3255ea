"""Licences of catalogues, for groups of accounts and for live use; owners' policies; what nobody's claim rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Others refer to the works, so SQLite may not make that table anew: added with a default, and not in a batch.
    op.add_column("works", sa.Column("public_domain", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("owners", sa.Column("policy", sa.Text(), nullable=True))
    op.add_column("references", sa.Column("excluded", sa.JSON(), nullable=True))
    op.execute("UPDATE \"references\" SET excluded = '[]'")
    with op.batch_alter_table("references") as references:
        references.alter_column("excluded", existing_type=sa.JSON(), nullable=False)
    op.add_column("licences", sa.Column("holder", sa.Text(), nullable=True))
    op.add_column("licences", sa.Column("account_groups", sa.JSON(), nullable=True))
    op.add_column("licences", sa.Column("use", sa.Text(), nullable=True))
    op.execute("UPDATE licences SET account_groups = '[]', \"use\" = 'any'")
    with op.batch_alter_table("licences") as licences:
        licences.alter_column("work_id", existing_type=sa.Text(), nullable=True)
        licences.alter_column("account_groups", existing_type=sa.JSON(), nullable=False)
        licences.alter_column("use", existing_type=sa.Text(), nullable=False)
        licences.create_index("ix_licences_holder", ["holder"], unique=False)
    op.create_table(
        "account_groups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "account", name="pk_account_groups"),
    )
    op.create_index("ix_account_groups_account", "account_groups", ["account"], unique=False)
