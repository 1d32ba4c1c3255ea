"""The only SQL: what the product remembers, in SQLite or PostgreSQL."""

from sordino.monitor.store.errors import StoreError
from sordino.monitor.store.store import Store
from sordino.monitor.store.streams import Stream

__all__ = ["Store", "StoreError", "Stream"]
