"""Arrays in, values out: prints of sound and pictures, the index, alignment and the catalogue."""
