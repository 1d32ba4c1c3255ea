"""
Compiles the kernels, so that the first segment of a worker is not the slow one.

numba keeps the machine code beside the modules (or in the user's cache where it may not write there), so this takes
seconds once after an installation and next to nothing afterwards. `python -m sordino.fingerprints.warm_up`
"""

import tempfile
from pathlib import Path

import numpy as np

from sordino.fingerprints import audio, video
from sordino.fingerprints.catalogue import Catalogue


def warm_up() -> None:
    """Register and find a few seconds of noise, in sound and picture."""
    rng = np.random.default_rng(0)
    sound = rng.integers(-3000, 3000, 12 * 16_000).astype(np.int16)
    world = np.kron(rng.integers(0, 256, (45, 120)), np.ones((4, 4))).astype(np.uint8)
    pictures = [np.ascontiguousarray(world[:, 8 * k : 8 * k + 320]) for k in range(16)]  # a pan: it tells times
    times_s = np.arange(len(pictures)) / 2
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Catalogue.open(Path(folder) / "catalogue")
        catalogue.add("noise", audio.reference_print(sound), video.reference_print(times_s, pictures, 8.0))
        catalogue.save()
        catalogue.find(audio.query_print(sound), video.query_print(times_s, pictures, 8.0))


if __name__ == "__main__":
    warm_up()
