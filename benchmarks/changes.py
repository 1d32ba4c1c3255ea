"""
The changes that copies of pictures come with: each is drawn for a size of picture, with parameters of its own.

They are made of what stands around or over copies, too: `Backdrop`s of videos that are not registered.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from benchmarks.pictures import (
    Backdrop,
    Change,
    Make,
    Picture,
    Size,
    corners,
    even,
    filled,
    fitted,
    pasted,
    placed,
    scaling,
)

LINES = ("Buy now for only 19.99", "Link in my profile", "Only today: half the price", "Follow for part 2")


def none(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Leave the picture as it is."""
    return placed(size, size, np.eye(3), lambda picture, k: picture)


def letterbox(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Add black bars above and below: 65 to 85 % of the height are the picture's."""
    width, height = size
    share = rng.uniform(0.65, 0.85)
    return pasted(size, (width, even(height / share)), _blank, share=share)


def pillarbox(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Add black bars at the sides: 55 to 80 % of the width are the picture's."""
    width, height = size
    share = rng.uniform(0.55, 0.8)
    return pasted(size, (even(width / share), height), _blank, share=share)


def _blank(picture: Picture, out: Size, k: int) -> Picture:
    return np.zeros((out[1], out[0], 3), np.uint8)


def crop(share: float, *, middle: bool = False) -> Make:
    """Return a change that keeps this share of both sides, from anywhere; from the middle only if so said."""

    def make(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
        width, height = size
        w, h = round(width * share), round(height * share)
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        while not middle and abs(2 * x / (width - w) - 1) < 0.5 and abs(2 * y / (height - h) - 1) < 0.5:
            x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        place = scaling(-x * width / w, -y * height / h, width / w, height / h)
        return placed(
            size,
            size,
            place,
            lambda picture, k: fitted(picture[y : y + h, x : x + w], size),
            crop_x=x / width,
            crop_y=y / height,
        )

    return make


def mirror(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Exchange left and right."""
    place = np.array([[-1, 0, size[0]], [0, 1, 0], [0, 0, 1]], np.float64)
    change = placed(size, size, place, lambda picture, k: np.ascontiguousarray(picture[:, ::-1]))
    return replace(change, mirrored=True)


def upside_down(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Turn by half a circle: a picture that nobody has registered, with all that real ones have."""
    place = np.array([[-1, 0, size[0]], [0, -1, size[1]], [0, 0, 1]], np.float64)
    return placed(size, size, place, lambda picture, k: np.ascontiguousarray(picture[::-1, ::-1]))


def logo_and_subtitle(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Put a logo into an upper corner, and a dark band with a line of text near the lower edge."""
    width, height = size
    left, line = float(rng.choice([0.04, 0.82])), str(rng.choice(LINES))

    def draw(picture: Picture, k: int) -> Picture:
        out = picture.copy()
        box = (round(left * width), round(0.05 * height)), (round((left + 0.14) * width), round(0.2 * height))
        cv2.rectangle(out, *box, (255, 255, 255), -1)
        middle = (round((left + 0.07) * width), round(0.125 * height))
        cv2.circle(out, middle, round(0.05 * height), (40, 60, 200), -1)
        out[round(0.8 * height) : round(0.95 * height), round(0.1 * width) : round(0.9 * width)] = 10
        at = (round(0.14 * width), round(0.9 * height))
        cv2.putText(out, line, at, cv2.FONT_HERSHEY_SIMPLEX, width / 640, (255, 255, 255), 2)
        return out

    change = placed(size, size, np.eye(3), draw, logo_x=left)
    return replace(change, parameters={**change.parameters, "subtitle": line})


def gamma_and_colour(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Bend and shift the grey levels, each colour by its own gain."""
    gamma, gain, lift = float(rng.choice([0.6, 1.6])), rng.uniform(0.7, 1.1), rng.uniform(-15, 25)
    tint = rng.uniform(0.85, 1.15, 3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** gamma * gain * tint + lift
    table = np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3)
    return placed(
        size,
        size,
        np.eye(3),
        lambda picture, k: np.asarray(cv2.LUT(picture, table), np.uint8),
        gamma=gamma,
        gain=gain,
        lift=lift,
    )


def camera(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Film a screen: seen askew, its corners 3 to 12 % inside, in a grey room, soft, pale, tinted and noisy."""
    width, height = size
    inside = rng.uniform(0.03, 0.12, (4, 2)) * size
    there = np.abs(corners(size) - inside)
    place = cv2.getPerspectiveTransform(corners(size).astype(np.float32), there.astype(np.float32))
    room, seed = int(rng.integers(20, 90)), int(rng.integers(1 << 31))
    tint = rng.uniform(0.88, 1.0, 3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** 0.8 * 0.85 * tint + 20
    table = np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3)

    def draw(picture: Picture, k: int) -> Picture:
        seen = cv2.warpPerspective(picture, place, size, flags=cv2.INTER_LINEAR, borderValue=(room, room, room))
        pale = cv2.LUT(cv2.GaussianBlur(seen, (0, 0), 1.2 * width / 640), table)
        noise = np.random.default_rng([seed, k]).standard_normal((height, width, 1), np.float32) * np.float32(7)
        return np.asarray(np.clip(pale + noise, 0, 255), np.uint8)

    return placed(size, size, np.asarray(place, np.float64), draw, room=room)


def rotate(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Turn by 5 degrees; the corners are black, or cut off."""
    degrees = float(rng.choice([-5, 5]))
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
    return placed(
        size,
        size,
        np.vstack([turn, [0, 0, 1]]),
        lambda picture, k: np.asarray(cv2.warpAffine(picture, turn, size), np.uint8),
        degrees=degrees,
    )


def border(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Put the picture, at 75 to 88 % of its size, into a coloured frame that does not move."""
    share = rng.uniform(0.75, 0.88)
    pattern = rng.integers(0, 255, (9, 16, 3)).astype(np.uint8)
    frame = np.asarray(cv2.resize(pattern, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return pasted(size, size, lambda picture, out, k: frame.copy(), scale=share, share=share)


def blurred_bars(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Show the whole picture in an upright one, above and below it the same picture, large and blurred."""
    width, height = even(size[1]), even(size[1] * 16 / 9)
    scale = width / size[0]

    def around(picture: Picture, out: Size, k: int) -> Picture:
        small = filled(picture, (out[0] // 4, out[1] // 4))
        return fitted(np.asarray(cv2.GaussianBlur(small, (0, 0), out[0] / 100), np.uint8), out)

    return pasted(size, (width, height), around, scale=scale)


def upright_crop(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Keep the middle column of 9:16."""
    width, height = size
    w = even(height * 9 / 16)
    x = (width - w) // 2
    return placed(size, (w, height), scaling(-x, 0, 1), lambda picture, k: np.ascontiguousarray(picture[:, x : x + w]))


def inset(share: float, *, moving: bool) -> Make:
    """Return a change that shows the picture small, at any place of another picture, or of one that moves."""

    def make(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
        around = backdrops[int(rng.integers(len(backdrops)))]
        still = int(rng.integers(len(around.pictures)))
        x, y = (int(rng.integers(0, n - round(n * share) + 1)) for n in size)
        change = pasted(
            size,
            size,
            lambda picture, out, k: around.shown(out, still + k if moving else still).copy(),
            (x, y),
            share,
            x=x / size[0],
            y=y / size[1],
        )
        return replace(change, parameters={**change.parameters, "around": around.name})

    return make


def webcam(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Put a host over a corner, at 30 % of both sides."""
    host = backdrops[int(rng.integers(len(backdrops)))]
    w, h = round(size[0] * 0.3), round(size[1] * 0.3)
    x, y = int(rng.choice([0, size[0] - w])), int(rng.choice([0, size[1] - h]))

    def draw(picture: Picture, k: int) -> Picture:
        out = picture.copy()
        out[y : y + h, x : x + w] = host.shown((w, h), k)
        return out

    change = placed(size, size, np.eye(3), draw, x=x / size[0], y=y / size[1])
    return replace(change, parameters={**change.parameters, "host": host.name})


def several(size: Size, rng: np.random.Generator, backdrops: Sequence[Backdrop]) -> Change:
    """Mirror, crop to 85 %, bend the colours, put a logo and a subtitle on it and a border around it."""
    change = mirror(size, rng, backdrops)
    for make in (crop(0.85, middle=True), gamma_and_colour, logo_and_subtitle, border):
        change = change.then(make(change.size, rng, backdrops))
    return change
