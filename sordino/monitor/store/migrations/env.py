"""Run by Alembic, in the transaction that the store has begun."""

from alembic import context

from sordino.monitor.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
