"""The sound of the driving video: in sync, cut to the pictures, copied where the container takes it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from video_files import numbered

from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.probe import probe

RATE = 48000
CLICKS = (1.0, 2.0, 3.0)  # seconds


def write_with_clicks(path, video="libx264", audio="aac", start=Fraction(0)):
    """Four seconds of numbered frames at 25 fps, a tone at each of CLICKS, on a clock from ``start``."""
    sound = np.zeros((1, 4 * RATE), np.float32)
    for click in CLICKS:
        first = int(click * RATE)
        sound[0, first : first + 480] = 0.9 * np.sin(np.arange(480) * 0.3)
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", container_options=options) as output:
        pictures = output.add_stream(video, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        track = output.add_stream(audio, rate=RATE, layout="mono")
        for n, image in enumerate(numbered(100)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n + int(start * 25), Fraction(1, 25)
            output.mux(pictures.encode(frame))
        for first in range(0, sound.shape[1], 960):
            part = av.AudioFrame.from_ndarray(sound[:, first : first + 960], format="fltp", layout="mono")
            part.rate, part.pts, part.time_base = RATE, first + int(start * RATE), Fraction(1, RATE)
            output.mux(track.encode(part))
        output.mux(pictures.encode(None))
        output.mux(track.encode(None))
    return path


def heard(path):
    """Codec, when the clicks are heard, and when the sound starts and ends."""
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        levels, times = [], []
        for frame in container.decode(track):
            samples = frame.to_ndarray()
            samples = samples[0] if frame.format.is_planar else samples[0, :: len(frame.layout.channels)]
            scale = np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1
            levels.append(np.abs(samples / scale))
            times.append(frame.time + np.arange(len(samples)) / frame.rate)
        level, time = np.concatenate(levels), np.concatenate(times)
    loud = time[level > 0.3]
    clicks = [float(t) for n, t in enumerate(loud) if n == 0 or t - loud[n - 1] > 0.2]
    return track.codec_context.name, clicks, float(time[0]), float(time[-1])


def carry(source, target, first=0, stop=None, **options):
    info = probe(source)
    start = float(info.times[first])
    with VideoWriter(target, info.fps, audio_from=source, audio_start=start, **options) as writer:
        for frame in stream(source, first, stop):
            writer.write(frame.image, frame.time)
    return target


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return {
        "aac": write_with_clicks(folder / "a.mp4"),
        "opus": write_with_clicks(folder / "a.webm", "libvpx", "libopus"),
        "flac": write_with_clicks(folder / "a.mkv", audio="flac"),
        "mp2": write_with_clicks(folder / "a.ts", audio="mp2", start=Fraction(2)),
        "adts": write_with_clicks(folder / "b.ts", audio="aac", start=Fraction(2)),
    }


EXPECTED = [
    *[("aac", ".mp4", "aac"), ("aac", ".webm", "opus"), ("opus", ".mp4", "opus"), ("opus", ".webm", "opus")],
    *[("flac", ".mp4", "aac"), ("flac", ".webm", "opus"), ("mp2", ".mp4", "aac"), ("adts", ".mp4", "aac")],
]


@pytest.mark.parametrize(("source", "suffix", "codec"), EXPECTED)
@pytest.mark.parametrize("first", [0, 10])
def test_sound_is_in_sync(tmp_path, sources, source, suffix, codec, first):
    target = carry(sources[source], tmp_path / f"out{suffix}", first)
    name, clicks, begin, end = heard(target)
    assert name == codec
    np.testing.assert_allclose(clicks, np.array(CLICKS) - first / 25, atol=3e-3)
    assert begin <= 0.03
    assert end == pytest.approx(4 - first / 25, abs=0.05)
    info = probe(target)
    assert info.times[0] == pytest.approx(0, abs=0.002)
    assert info.num_frames == 100 - first


def test_sound_is_copied_bit_for_bit(tmp_path, sources):
    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    target = carry(sources["aac"], tmp_path / "out.mp4")
    assert set(packets(target)) <= set(packets(sources["aac"]))


def test_sound_ends_with_the_pictures(tmp_path, sources):
    for suffix in (".mp4", ".webm"):
        _, clicks, _, end = heard(carry(sources["aac"], tmp_path / f"out{suffix}", 0, 40))
        np.testing.assert_allclose(clicks, [1.0], atol=3e-3)
        assert end == pytest.approx(1.6, abs=0.05)


def test_sound_ends_where_it_is_told_to(tmp_path, sources):
    _, clicks, _, end = heard(carry(sources["aac"], tmp_path / "out.mp4", audio_end=2.5))
    np.testing.assert_allclose(clicks, [1.0, 2.0], atol=3e-3)
    assert end == pytest.approx(2.5, abs=0.05)


def test_gif_and_pictures_have_no_sound(tmp_path, sources):
    assert not probe(carry(sources["aac"], tmp_path / "out.gif", 0, 5)).has_audio
    assert len(list(carry(sources["aac"], tmp_path / "frames", 0, 5).iterdir())) == 5
