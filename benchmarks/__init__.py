"""How well, how fast, how far: on real media, by hand, with results in RESULTS.md."""
