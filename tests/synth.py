"""Clips with known truth, made from seeds with the machine's ffmpeg: music, speech, pictures, and bad input."""

import struct
import subprocess
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]
Frames = NDArray[np.uint8]  # [n, height, width], luminance

RATE = 16_000
FPS = 10
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M")


# --- sound: float32 [n] at 16 kHz, peak 0.9 --------------------------------------------------------------------------


def _peak(samples: NDArray[np.floating]) -> Samples:
    return np.asarray(0.9 * samples / max(1e-9, float(np.abs(samples).max())), np.float32)


def _add(track: Floats, at_s: float, sound: Floats) -> None:
    start = int(at_s * RATE)
    room = len(track) - start
    if room > 0:
        track[start : start + len(sound)] += sound[:room]


def _note(midi: float, seconds: float, partials: Floats, rng: np.random.Generator) -> Floats:
    """A plucked harmonic tone: partials above 7 kHz are left out, each decays faster than the one below."""
    t = np.arange(int(seconds * RATE)) / RATE
    hz = 440.0 * 2 ** ((midi - 69) / 12)
    tone: Floats = np.zeros(len(t))
    for n, level in enumerate(partials, start=1):
        if n * hz < 7000:
            tone += level * np.exp(-t * (1 + 0.8 * n)) * np.sin(2 * np.pi * n * hz * t + rng.uniform(0, 6.28))
    fade: Floats = np.minimum(1, np.minimum(t / 0.005, (seconds - t) / 0.02))
    return tone * fade


def _drum(kind: str, rng: np.random.Generator) -> Floats:
    t = np.arange(int(0.2 * RATE)) / RATE
    if kind == "kick":
        thump: Floats = 1.2 * np.sin(2 * np.pi * 55 * t + 12 * (1 - np.exp(-t * 40))) * np.exp(-t * 22)
        return thump
    noise = rng.standard_normal(len(t))
    if kind == "snare":
        return 0.5 * noise * np.exp(-t * 30)
    return 0.3 * np.diff(noise, prepend=0.0) * np.exp(-t * 90)  # hat


def music(seconds: float, seed: int, take: int = 0) -> Samples:
    """
    Compose music of this seed's own tempo, key and timbre: chords, a melody and drums that never repeat a bar.

    Another take is another recording of it: the same notes and beats, on other instruments, by players less exact.
    """
    rng, player = np.random.default_rng([1, seed]), np.random.default_rng([4, seed, take])
    track = np.zeros(int(seconds * RATE))
    beat = 60 / rng.uniform(85, 150)
    scale = rng.integers(45, 57) + MAJOR + rng.choice([0, -1], 7, p=[0.8, 0.2])
    lead, pad = np.cumprod(rng.uniform(0.4, 0.95, (2, 8)), axis=1)
    late_s = hurry = 0.0
    if take:
        lead, pad = np.cumprod(player.uniform(0.4, 0.95, (2, 8)), axis=1)
        late_s, hurry = 0.03, 0.02
    at, degree = 0.0, 7
    while at < seconds:  # a bar of four beats
        root = rng.integers(0, 7)
        for step in (0, 2, 4):
            _add(
                track, at + late_s * player.random(), 0.25 * _note(float(scale[(root + step) % 7]), 4 * beat, pad, rng)
            )
        inside = 0.0
        while inside < 4:
            length = rng.choice([0.5, 0.5, 1.0, 1.5])
            degree = int(np.clip(degree + rng.integers(-3, 4) + np.sign(7 - degree) * (rng.random() < 0.2), 0, 16))
            if rng.random() < 0.85:
                _add(
                    track,
                    at + inside * beat + late_s * player.random(),
                    0.5 * _note(scale[degree % 7] + 12 * (degree // 7), 1.3 * length * beat, lead, rng),
                )
            inside += length
        for eighth in range(8):
            for kind, chance in (
                ("kick", 0.8 if eighth % 4 == 0 else 0.1),
                ("snare", 0.8 if eighth % 4 == 2 else 0.05),
                ("hat", 0.7),
            ):
                if rng.random() < chance:
                    _add(track, at + eighth * beat / 2 + late_s * player.random(), 0.4 * _drum(kind, rng))
        at += 4 * beat * (1 + hurry * player.standard_normal())
    return _peak(track)


def speech_like(seconds: float, seed: int) -> Samples:
    """Babble in the shape of speech: syllables, pulses or noise through moving formants, and pauses."""
    rng = np.random.default_rng([2, seed])
    track = np.zeros(int(seconds * RATE))
    pitch = rng.uniform(90, 220)
    at = 0.0
    while at < seconds:
        length = rng.uniform(0.09, 0.28)
        n = int(length * RATE)
        voiced = rng.random() < 0.8
        hz = pitch * (1 + 0.2 * np.cumsum(rng.standard_normal(n)) / np.sqrt(n))
        pulses = np.diff(np.floor(np.cumsum(hz) / RATE), prepend=0.0)
        sound = pulses + 0.02 * rng.standard_normal(n) if voiced else 0.15 * rng.standard_normal(n)
        formants = (rng.uniform(280, 850), rng.uniform(900, 2300), rng.uniform(2400, 3400))
        for formant in formants if voiced else (rng.uniform(2500, 5500),):
            pole = np.exp(-np.pi * rng.uniform(70, 160) / RATE)
            sound = lfilter([1 - pole], [1, -2 * pole * np.cos(2 * np.pi * formant / RATE), pole**2], sound)
        _add(track, at, _peak(sound) * np.hanning(n) ** 0.5 * rng.uniform(0.4, 1))
        at += length + (rng.uniform(0.2, 0.6) if rng.random() < 0.15 else rng.uniform(0, 0.04))
    return _peak(sosfilt(butter(2, 80, "highpass", fs=RATE, output="sos"), track))


def beeps(seconds: float, at_s: Iterable[float], hz: float = 1000.0, length_s: float = 0.1) -> Samples:
    """Silence with a short tone at each of `at_s`."""
    track = np.zeros(int(seconds * RATE))
    tone = 0.8 * np.sin(2 * np.pi * hz * np.arange(int(length_s * RATE)) / RATE)
    for at in at_s:
        _add(track, at, tone)
    return np.asarray(track, np.float32)


def mix(front: Samples, back: Samples, back_db: float) -> Samples:
    """Lay `back` under `front` at `back_db` relative to it, by power; both have one length. The peak becomes 0.9."""
    gain = np.sqrt(np.mean(front**2) / max(1e-12, float(np.mean(back**2)))) * 10 ** (back_db / 20)
    return _peak(front + gain * back)


# --- pictures: uint8 [n, height, width] ------------------------------------------------------------------------------


def _texture(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cloudy noise of several scales, and a few hard-edged shapes: something for any descriptor to hold on to."""
    canvas: NDArray[np.float32] = np.zeros((height, width), np.float32)
    for cells in (3, 6, 12, 32):
        grid = rng.standard_normal((cells, cells * width // height + 1)).astype(np.float32)
        canvas += np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32) / cells**0.5
    canvas = np.asarray(255 * (canvas - canvas.min()) / np.ptp(canvas), np.float32)
    for _ in range(6):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = (int(side) for side in rng.integers(height // 12, height // 3, 2))
        cv2.rectangle(canvas, (x, y), (x + w, y + h), float(rng.integers(256)), -1)
    return canvas


def pictures(seconds: float, seed: int, *, fps: float = FPS, width: int = 320, height: int = 180) -> Frames:
    """Shoot scenes of 1.5 to 4 s: the camera pans over a texture, an object crosses it, and each scene has its own."""
    rng, of_objects = np.random.default_rng([3, seed]), np.random.default_rng([13, seed])
    n = round(seconds * fps)
    frames = np.empty((n, height, width), np.uint8)
    k = 0
    while k < n:
        canvas = _texture(2 * height, 2 * width, rng)
        length = int(rng.uniform(1.5, 4) * fps)
        start, end, object_from, object_to = rng.uniform(0, 1, (4, 2))
        turns, radii = np.sort(of_objects.uniform(0, 2 * np.pi, 7)), height * of_objects.uniform(0.04, 0.16, 7)
        outline = np.stack([radii * np.cos(turns), radii * np.sin(turns)], axis=1)
        for step in range(min(length, n - k)):
            part = step / length
            x, y = ((1 - part) * start + part * end) * (width, height)
            picture = np.ascontiguousarray(canvas[int(y) : int(y) + height, int(x) : int(x) + width])
            at = ((1 - part) * object_from + part * object_to) * (width, height)
            cv2.fillPoly(picture, [np.rint(at + outline).astype(np.int32)], 255.0 * (object_from[0] > 0.5))
            frames[k] = picture.astype(np.uint8)
            k += 1
    return frames


def colour_bars(width: int = 320, height: int = 180) -> Frames:
    """Draw a broadcaster's colour bars, uint8[height, width]: seven, a strip of them reversed, and the blacks below."""
    seven = np.arange(width) * 7 // width
    card = np.repeat(np.array([180, 162, 131, 112, 84, 65, 35], np.uint8)[seven][None], height, axis=0)
    card[2 * height // 3 :] = card[0, ::-1]
    card[3 * height // 4 :] = np.array([28, 235, 45, 16, 10, 24, 16], np.uint8)[seven]
    return card


def slate(width: int = 320, height: int = 180) -> Frames:
    """Draw a slate, uint8[height, width]: who made what, in a frame."""
    card = np.full((height, width), 24, np.uint8)
    for line, words in enumerate(("BLUE LABEL", "REEL 2   TAKE 3", "12 MAY")):
        at = (width // 10, (2 + 2 * line) * height // 8)
        cv2.putText(card, words, at, cv2.FONT_HERSHEY_SIMPLEX, width / 480, 220, max(1, width // 200), cv2.LINE_AA)
    cv2.rectangle(card, (width // 40, height // 20), (width - width // 40, height - height // 20), 200, 2)
    return card


def flashes(seconds: float, at_s: Iterable[float], *, fps: float = FPS, width: int = 64, height: int = 48) -> Frames:
    """Dark pictures, and a white one at each of `at_s`."""
    frames = np.full((round(seconds * fps), height, width), 20, np.uint8)
    for at in at_s:
        frames[round(at * fps)] = 255
    return frames


# --- files -----------------------------------------------------------------------------------------------------------


def ffmpeg(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """Run the machine's ffmpeg and return what it writes to its output; the words of its failure are in the error."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def changed(samples: Samples, tempo: float = 1.0, pitch: float = 1.0) -> Samples:
    """Play sound so many times as fast and as high: as on a tape where both are alike, else by overlapping pieces."""
    raw = ("-f", "f32le", "-ar", str(RATE), "-ac", "1")
    filters = f"asetrate={round(RATE * pitch)},aresample={RATE},atempo={tempo / pitch}"
    return np.frombuffer(ffmpeg(*raw, "-i", "-", "-af", filters, *raw, "-", stdin=samples.tobytes()), np.float32)


def wav(path: Path, samples: Samples, rate: int = RATE) -> Path:
    """Write mono 16-bit PCM."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def channels(path: Path, samples: Samples, *options: str, layout: str = "stereo") -> Path:
    """Encode sound of several channels, float32[n, channels] at 16 kHz in the order of `layout`, as it is."""
    count = samples.shape[1]
    places = "|".join(f"c{k}=c{k}" for k in range(count))  # names the channels and mixes nothing
    source = ("-f", "f32le", "-ar", str(RATE), "-ac", str(count), "-i", "pipe:0", "-af", f"pan={layout}|{places}")
    ffmpeg(*source, *options, path, stdin=np.ascontiguousarray(samples, "<f4").tobytes())
    return path


def codecs(path: Path) -> tuple[str, ...]:
    """Quick encoders that the container takes."""
    if path.suffix == ".webm":
        return (*VP8, "-c:a", "libopus")
    return () if path.suffix in {".wav", ".mp3", ".flac", ".ogg", ".aiff", ".aac"} else (*H264, "-c:a", "aac")


def clip(
    path: Path, samples: Samples | None = None, frames: Frames | None = None, *options: str, fps: float = FPS
) -> Path:
    """Encode sound, pictures or both into the container that the suffix names; `options` go to ffmpeg's output."""
    arguments: list[str | Path] = []
    sound = path.with_name(path.name + ".tmp.wav")
    if frames is not None:
        _, height, width = frames.shape
        arguments += ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-r", str(fps), "-i", "pipe:0"]
    if samples is not None:
        arguments += ["-i", wav(sound, samples)]
    ffmpeg(*arguments, *codecs(path), *options, path, stdin=b"" if frames is None else frames.tobytes())
    sound.unlink(missing_ok=True)
    return path


def video(
    path: Path, seconds: float, seed: int, *options: str, fps: float = FPS, width: int = 320, height: int = 180
) -> Path:
    """Write a silent video of `pictures`."""
    return clip(path, None, pictures(seconds, seed, fps=fps, width=width, height=height), *options, fps=fps)


def mux(path: Path, audio: Path | None, video: Path | None, *options: str) -> Path:
    """Copy the sound of one file and the pictures of another, undecoded, into one container."""
    inputs = [source for source in (video, audio) if source is not None]
    arguments: list[str | Path] = [argument for source in inputs for argument in ("-i", source)]
    if video is not None:
        arguments += ["-map", "0:v"]
    if audio is not None:
        arguments += ["-map", f"{len(inputs) - 1}:a"]
    ffmpeg(*arguments, "-c", "copy", *options, path)
    return path


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Walk the boxes of an MP4: each one's name and where its payload begins."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", content, start)
        yield name, start + 8
        if name in {b"moov", b"trak", b"mdia", b"edts"}:
            yield from _boxes(content, start + 8, start + size)
        start += size


def turned(path: Path, source: Path, quarters: int) -> Path:
    """Copy an MP4, and have its pictures shown with so many quarter turns clockwise, as phones do: by tkhd's matrix."""
    content = bytearray(source.read_bytes())
    matrix = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)][quarters]
    a, b, c, d = (part << 16 for part in matrix)
    for name, payload in list(_boxes(bytes(content), 0, len(content))):
        if name == b"tkhd":
            struct.pack_into(">9i", content, payload + 40, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(content))
    return path


# --- bad input -------------------------------------------------------------------------------------------------------


def cut(path: Path, source: Path, part: float) -> Path:
    """Keep the first `part` of the bytes. An MP4 as ffmpeg writes it by default has its moov last: it loses it."""
    content = source.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    return path


def truncated_mp4(path: Path) -> Path:
    """Write an MP4 without its moov."""
    whole = clip(path.with_name(path.name + ".whole.mp4"), music(1, 0), pictures(1, 0))
    return cut(path, whole, 0.5)


def empty(path: Path) -> Path:
    """Write no bytes."""
    path.write_bytes(b"")
    return path


def text(path: Path) -> Path:
    """Write prose."""
    path.write_text("Dear moderator,\nthis is a letter and not a video.\n" * 40)
    return path


def picture(path: Path, coder: str = "png") -> Path:
    """Write one picture (`coder`: png, mjpeg, gif, bmp, libwebp) whatever the suffix says."""
    muxer = ("-f", "gif") if coder == "gif" else ("-f", "image2", "-update", "1")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=1", "-frames:v", "1", "-c:v", coder, *muxer, path)
    return path


def huge_picture(path: Path, side: int = 20_000) -> Path:
    """Write a Matroska (or MP4) video of one frame whose headers, the frame's own too, say `side` x `side` pixels."""
    ffmpeg("-f", "lavfi", "-i", "color=gray:size=400x400:rate=1", "-frames:v", "1", "-c:v", "mjpeg",
           *(("-write_crc32", "0") if path.suffix == ".mkv" else ()), path)  # fmt: skip
    old, new = (400).to_bytes(2, "big"), side.to_bytes(2, "big")
    content = path.read_bytes()
    for between in (
        b"",
        b"\0\0",
        b"\xba\x82",
    ):  # JPEG's SOF0 and MP4's stsd, MP4's tkhd, Matroska's PixelWidth + Height
        content = content.replace(old + between + old, new + between + new)
    path.write_bytes(content)
    return path


def hours(path: Path, claimed: float = 100) -> Path:
    """Write one second of media in an MP4 (or Matroska) whose headers claim `claimed` hours."""
    clip(path, music(1, 0), pictures(1, 0), *(("-write_crc32", "0") if path.suffix == ".mkv" else ()))
    content = bytearray(path.read_bytes())
    at = content.find(b"\x44\x89\x88")  # Matroska's Duration: a double, milliseconds
    if path.suffix == ".mkv":
        struct.pack_into(">d", content, at + 3, claimed * 3_600_000)
    else:
        for name, payload in list(_boxes(bytes(content), 0, len(content))):
            if name in {b"mvhd", b"mdhd"}:  # version 0: ..., timescale, duration
                (timescale,) = struct.unpack_from(">I", content, payload + 12)
                struct.pack_into(">I", content, payload + 16, min(int(claimed * 3600 * timescale), 2**32 - 1))
            elif name == b"tkhd":  # in the movie's timescale, which ffmpeg has as 1000
                struct.pack_into(">I", content, payload + 20, int(claimed * 3_600_000))
            elif name == b"elst":
                struct.pack_into(">I", content, payload + 8, int(claimed * 3_600_000))
    path.write_bytes(bytes(content))
    return path


def playlist(path: Path, target: str) -> Path:
    """Write an HLS playlist of one segment, `target` (a path or a URL)."""
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n")
    return path


def concat_script(path: Path, target: str) -> Path:
    """Write ffmpeg's own playlist of one file, `target` (a path or a URL)."""
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    return path
