"""Sordino finds registered works in live streams and short videos, and recommends the least intrusive measure."""

__version__ = "0.1.0"
