"""Known music out of a mixture: how it sounds in there is estimated, robustly against the voice, and subtracted."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter, uniform_filter1d

from sordino.pipelines.remedies import kernels
from sordino.pipelines.remedies.gain_track import followed

Sound = NDArray[np.float32]  # [n, channels], full scale at 1
Spectra = NDArray[np.complex64]  # [channels, frames, bins]

MOVES = 0.02  # a gain that moves has to explain so much more: voice moves it, too
GOES_ON = 0.15  # a frame for which music is taken to go on where nothing speaks against it
BLOCK_S = 0.75  # filters are solved for so often, and interpolated
STEADY_S = 8.0  # of sound under a filter's window: shorter ones take voice for music
RIDGE = 1e-4  # of a bin's energy: the side of a mono song is next to nothing
FLOORS = (1.0, 0.03, 1e-3, 1e-4)  # of the energy around a cell: what is quieter weighs no more, in each round
AROUND_S, AROUND_BINS = 4.0, 9
NEAR = (3, 3)  # frames and bins over which what is left is smoothed before it is judged
BARK_BANDS = 25
MUSICAL = 0.5  # share of a cell's energy above which it is the music's
QUIETEST = 1e-3  # of a band's mean energy: cells below it tell nothing
CELLS = 50  # of a band, that tell enough
LEFT_QUANTILE = 0.25  # of what is left in the music's cells: where no voice is
LEFT_MEAN = 3.0  # times as much is the mean there, on mixtures whose parts are known
HARDER, LEAST_GAIN = 3.0, 0.15  # of the last filter, on what the codec made of the music


@dataclass(frozen=True, slots=True)
class Path:
    """The way that music took into the mixture: how long a frame is, and how many frames a sound reaches into."""

    frame_s: float
    overlap: int
    taps: int


MIXED = Path(frame_s=0.046, overlap=2, taps=1)  # on a desk, by an editor: gain, width, equaliser
HEARD = Path(frame_s=0.186, overlap=4, taps=3)  # in a room, through loudspeaker and microphone


@dataclass(frozen=True, slots=True, eq=False)
class Cancelled:
    """
    What is left of a mixture, float32[n, channels], and how well that went.

    `music` and `left` are energies: of the music as it was estimated, and of what is still there of it, estimated from
    the cells that had little else in them. `explained` is by how much cells became quieter, the mean of the logarithms.
    """

    sound: Sound
    music: float
    left: float
    explained: float

    @property
    def suppression_db(self) -> float:
        """By how much the music is weaker now; 0 where there was none."""
        return 10 * float(np.log10(self.music / max(self.left, 1e-12))) if self.music > self.left else 0.0


def cancelled(mixture: Sound, music: Sound, sample_rate: int, path: Path, sure: tuple[int, int]) -> Cancelled:
    """
    Take music out of a mixture of some seconds; `music` float32[n, 1 or 2] is laid under it to the sample.

    In each bin of a short-time spectrum the music in the mixture is the reference through a complex filter that changes
    slowly. It comes from least squares, re-weighted by what is left: where that is strong there is voice, and the cell
    counts little (as in weighted prediction error: Nakatani et al., "Speech dereverberation based on
    variance-normalized delayed linear prediction", 2010). It is learnt from the samples `sure` alone, first and last;
    how far to either side of them the music goes on is where subtracting it leaves less. Where that explains more, one
    gain a frame for all bins follows ducking and fades. What codecs did to the music isn't linear; that rest is
    attenuated where voice doesn't cover it.
    """
    frame = 1 << round(np.log2(path.frame_s * sample_rate))
    hop = frame // path.overlap
    mixed = _spectra(mixture, frame, hop)
    inputs = _inputs(_spectra(_middle_and_side(music), frame, hop), path.taps)
    known = np.zeros(mixed.shape[1], np.float32)
    known[(sure[0] + frame) // hop : sure[1] // hop + 1] = 1
    fit, explained = _fitted(inputs, mixed, known, sample_rate / hop)
    heard = uniform_filter(kernels.power(fit.estimate), (3, 5))
    rest = _rest(kernels.power(fit.left), heard, uniform_filter(kernels.power(mixed), (3, 5)), sample_rate, frame)
    floor = FLOORS[-1] * _energy_around(mixed, sample_rate / hop)
    kept = np.maximum(LEAST_GAIN, 1 - HARDER * rest / (uniform_filter(kernels.power(fit.left), NEAR) + floor))
    sound = _sound(fit.left * kept, frame, hop, len(mixture))
    return Cancelled(sound, float(heard.sum()), LEFT_MEAN * float(rest.sum()), explained)


class _Fit:
    """The music as it is in a mixture: filters, learnt from the frames `known`, and a gain where it is to move."""

    def __init__(self, inputs: Spectra, mixed: Spectra, known: NDArray[np.float32], frames_per_s: float) -> None:
        self._inputs, self._mixed, self._known = inputs, mixed, known
        self._around = _energy_around(mixed, frames_per_s)
        self._block = max(1, round(BLOCK_S * frames_per_s))
        self._reach = max(1, round(STEADY_S * frames_per_s / self._block / 2))
        self.estimate = np.zeros_like(mixed)
        self.left = mixed

    def learn(self, floors: Sequence[float] = FLOORS, *, moving: bool = False) -> None:
        """Fit as often as there are floors; each weighs what little is left more than the one before."""
        gain = self._known
        for floor in floors:
            weight = 1 / (uniform_filter(kernels.power(self.left), NEAR) + floor * self._around)
            sums = kernels.moments(self._inputs, self._mixed, gain * self._known, weight, self._block)
            self.estimate = kernels.filtered(self._inputs, _solved(*sums, self._reach), self._block)
            if moving:
                gain = followed(*kernels.agreement(self.estimate, self._mixed, weight))
                self.estimate *= gain[:, None]
            self.left = self._mixed - self.estimate

    def saved(self) -> NDArray[np.float32]:
        """Return by how much each frame became quieter: the mean of its cells' logarithms."""
        floor = FLOORS[-1] * self._around
        before, after = (np.log(kernels.power(spectra) + floor) for spectra in (self._mixed, self.left))
        return np.asarray(np.mean(before - after, axis=1), np.float32)

    def spread(self) -> bool:
        """Take for known what is beside the known, as far as taking the music out saves anything; is there such."""
        before, self._known = self._known, _stretch(self.saved() + GOES_ON, self._known)
        return bool(np.any(self._known != before))

    def confine(self) -> float:
        """Leave alone what isn't known, and return how much was saved in the rest, as a mean of all frames."""
        saved = float(np.mean(self.saved() * self._known))
        self.estimate *= self._known[:, None]
        self.left = self._mixed - self.estimate
        return saved

    def again(self) -> "_Fit":
        """Return one that knows as much, and has learnt nothing."""
        new = copy(self)
        new.left = self._mixed
        return new


def _fitted(inputs: Spectra, mixed: Spectra, known: NDArray[np.float32], frames_per_s: float) -> tuple[_Fit, float]:
    """Return the music as it is in the mixture, with a gain that moves if that explains more; and how much it does."""
    steady = _Fit(inputs, mixed, known, frames_per_s)
    steady.learn()
    if steady.spread():
        steady.learn(FLOORS[-2:])
        steady.spread()
    moving = steady.again()
    moving.learn(moving=True)
    fits = [(fit, fit.confine()) for fit in (steady, moving)]
    return fits[fits[1][1] > fits[0][1] + MOVES]


def _stretch(saved: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 for the frames that are known, and to either side as long as subtracting has saved anything."""
    there = known.copy()
    first, last = (int(at) for at in np.flatnonzero(known)[[0, -1]])
    before, after = np.cumsum(saved[:first][::-1]), np.cumsum(saved[last + 1 :])
    if len(before) and before.max() > 0:
        there[first - 1 - int(before.argmax()) : first] = 1
    if len(after) and after.max() > 0:
        there[last + 1 : last + 2 + int(after.argmax())] = 1
    return there


def _middle_and_side(music: Sound) -> Sound:
    """Return half the sum and half the difference of two channels; the sum alone where there is no difference."""
    middle = music.mean(axis=1)
    side = (music[:, 0] - music[:, -1]) / 2
    channels = [middle, side] if np.abs(side).max(initial=0) > 1e-4 * np.abs(middle).max(initial=0) else [middle]
    return np.stack(channels, axis=1)


def _inputs(spectra: Spectra, taps: int) -> Spectra:
    """Return each channel as it is and as it was up to `taps` - 1 frames before."""
    late = np.zeros((len(spectra), taps, *spectra.shape[1:]), np.complex64)
    for tap in range(taps):
        late[:, tap, tap:] = spectra[:, : spectra.shape[1] - tap]
    return late.reshape(-1, *spectra.shape[1:])


def _solved(products: NDArray[np.complex64], targets: NDArray[np.complex64], reach: int) -> NDArray[np.complex64]:
    """Return the filters [blocks, bins, channels, inputs] of windows that reach `reach` blocks to either side."""
    shape = np.hanning(2 * reach + 3)[1:-1].astype(np.float32)
    products, targets = (_windowed(sums, shape) for sums in (products, targets))
    inputs = products.shape[-1]
    energy = np.trace(products, axis1=2, axis2=3).real / inputs
    products += (RIDGE * energy + 1e-9)[..., None, None] * np.eye(inputs, dtype=np.float32)
    solved = np.linalg.solve(products, np.swapaxes(targets, 2, 3))
    return np.ascontiguousarray(np.swapaxes(solved, 2, 3), np.complex64)


def _windowed(sums: NDArray[np.complex64], shape: NDArray[np.float32]) -> NDArray[np.complex64]:
    reach, total = len(shape) // 2, np.zeros_like(sums)
    for shift, share in enumerate(shape, start=-reach):
        first, last = max(0, shift), min(len(sums), len(sums) + shift)
        if first < last:
            total[first - shift : last - shift] += share * sums[first:last]
    return total


def _rest(
    left: NDArray[np.float32],
    heard: NDArray[np.float32],
    mixed: NDArray[np.float32],
    sample_rate: int,
    frame: int,
) -> NDArray[np.float32]:
    """
    Return how much of the music is still there in each cell, a share of it by band.

    Codecs leave about as much everywhere in a band; it is read off where the music is most of what there was.
    """
    rest = heard.copy()  # nothing is known to have gone
    bands = _bark(frame, sample_rate)
    for band in range(BARK_BANDS):
        bins = bands == band
        energy = mixed[:, bins]
        told = (heard[:, bins] > MUSICAL * energy) & (energy > QUIETEST * energy.mean()) if bins.any() else np.zeros(0)
        if told.sum() >= CELLS:
            share = np.quantile(left[:, bins][told] / energy[told], LEFT_QUANTILE)
            rest[:, bins] *= np.float32(min(1.0, share))
    return rest


@cache
def _bark(frame: int, sample_rate: int) -> NDArray[np.intp]:
    """Return the bins' critical bands (Zwicker and Terhardt, 1980)."""
    hertz = np.arange(frame // 2 + 1) * sample_rate / frame
    bark = 13 * np.arctan(0.00076 * hertz) + 3.5 * np.arctan((hertz / 7500) ** 2)
    return np.minimum(bark.astype(np.intp), BARK_BANDS - 1)


def _energy_around(spectra: Spectra, frames_per_s: float) -> NDArray[np.float32]:
    frames = max(1, round(AROUND_S * frames_per_s))
    around = uniform_filter1d(uniform_filter1d(kernels.power(spectra), frames, axis=0), AROUND_BINS, axis=1)
    return np.asarray(around + 1e-10, np.float32)


@cache
def _window(frame: int) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)), np.float32)


def _spectra(sound: Sound, frame: int, hop: int) -> Spectra:
    """Return the short-time spectrum of each channel; frames begin a frame before the sound and end after it."""
    padded = np.pad(sound.T, ((0, 0), (frame, frame + hop)))
    cut = np.lib.stride_tricks.sliding_window_view(padded, frame, axis=1)[:, ::hop]
    return np.asarray(scipy.fft.rfft(cut * _window(frame), axis=2), np.complex64)


def _sound(spectra: Spectra, frame: int, hop: int, n: int) -> Sound:
    """Return the sound of short-time spectra by overlap-add; the windows' squares add up to 1."""
    cut = scipy.fft.irfft(spectra, frame, axis=2) * (_window(frame) * np.float32(2 * hop / frame))
    sound = np.zeros((len(spectra), (spectra.shape[1] - 1) * hop + frame), np.float32)
    for nth in range(spectra.shape[1]):
        sound[:, nth * hop : nth * hop + frame] += cut[:, nth]
    return np.ascontiguousarray(sound[:, frame : frame + n].T)
