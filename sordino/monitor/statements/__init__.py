"""Recommendations in words: what is said is put together once (`composing`) and worded by a table a language."""
