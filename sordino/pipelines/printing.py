"""A piece of media to its prints as a reference, and nothing else: no look-up, no Chromaprint."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import audio
from sordino.fingerprints.params import AudioParams, VideoParams
from sordino.fingerprints.parts import Prints
from sordino.fingerprints.video import Describer
from sordino.pipelines.media import Limits, Pcm, decode


@dataclass(frozen=True, slots=True, eq=False)
class Printed:
    """What a file is known by; `clock_s` is where its own timestamps begin, in seconds."""

    prints: Prints
    clock_s: float
    warnings: tuple[str, ...]

    @property
    def length_s(self) -> float:
        """Seconds of picture, or of sound where there is none: encoders pad the sound of each file."""
        return self.prints.video.duration_s or self.prints.audio.duration_s


def prints_of(path: Path, audio_params: AudioParams, video_params: VideoParams, limits: Limits) -> Printed:
    """Decode a file and describe it as a reference; raises MediaError and DecoderMissing."""
    sound: list[NDArray[np.int16]] = []
    pictures = Describer(video_params, finer=False)
    rate, side = audio_params.sample_rate, pictures.side
    with decode(
        path, sample_rate=rate, frames_per_s=video_params.frames_per_s, limits=limits, frame_side=side
    ) as decoding:
        for item in decoding:
            if isinstance(item, Pcm):
                sound.append(item.samples)
            else:
                pictures.add(item.time_s, item.luma)
    pcm = np.concatenate([np.empty(0, np.int16), *sound])
    prints = Prints(path.name, audio.reference_print(pcm, audio_params), pictures.reference(decoding.video_s))
    return Printed(prints, decoding.start_s, decoding.warnings)
