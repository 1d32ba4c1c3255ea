"""
Compiles every kernel, those of the fingerprints and those that erase: a worker's first segment is not the slow one.

`python -m sordino.pipelines.warm_up`
"""

import numpy as np

from sordino.fingerprints.warm_up import warm_up as warm_up_fingerprints
from sordino.pipelines.remedies.cancel import HEARD, MIXED, cancelled
from sordino.pipelines.remedies.timing import Timing, aligned

RATE = 16_000


def warm_up() -> None:
    """Find, and erase, a few seconds of noise."""
    warm_up_fingerprints()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (3 * RATE, 2)).astype(np.float32)
    aligned(noise[:, 0], noise[:, 1], RATE, Timing(0.0, 1.0))
    for way in (MIXED, HEARD):
        cancelled(noise, noise[::-1].copy(), RATE, way, (0, len(noise)))


if __name__ == "__main__":
    warm_up()
