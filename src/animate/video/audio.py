"""The sound of one file into another: packets are copied by their time stamps, or else re-encoded."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import av.error
from av.audio.frame import AudioFrame
from av.filter import Graph

from animate.video.source import open_video

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

logger = logging.getLogger(__name__)

_RATE = 48000  # Hz; the one rate that both AAC and Opus take
_FRAME = {"aac": 1024, "libopus": 960}  # samples per packet


class AudioExcerpt:
    """A stretch of the audio of a file; opened when a writer asks for it.

    Args:
        path: a media file.
        start: seconds on its clock that become 0.
        end: where to stop on that clock; the end of the file without.

    """

    def __init__(self, path: Path, start: float, end: float | None) -> None:
        self._start = Fraction(start).limit_denominator(1_000_000)
        self._length = None if end is None else Fraction(end).limit_denominator(1_000_000) - self._start
        self._path = path
        self._source: InputContainer | None = None

    def attach(self, target: OutputContainer, copied: Collection[str], encoder: str) -> AudioTrack | None:
        """Add an audio stream to ``target``, before anything is written to it.

        Args:
            target: the container being written.
            copied: codecs that it takes as they are.
            encoder: what other codecs become.

        Returns:
            What feeds the stream, or None when the file has no audio.

        """
        if not self._path.is_file():
            return None
        self._source = open_video(self._path)
        if not self._source.streams.audio:
            return None
        stream = self._source.streams.audio[0]
        if stream.codec_context is None:
            logger.warning("%s: its audio codec is not known; the result is silent", self._path)
            return None
        if stream.codec_context.name in copied:
            packets = _copied(self._source, stream, target, self._start)
        else:
            packets = _encoded(self._source, stream, target, encoder, self._start)
        return AudioTrack(target, packets, self._length)

    def close(self) -> None:
        """Close the file that the audio comes from."""
        if self._source is not None:
            self._source.close()


class AudioTrack:
    """Feeds audio packets into a container, never further than the pictures have come."""

    def __init__(
        self,
        target: OutputContainer,
        packets: Iterator[tuple[Fraction, Packet[AudioStream]]],
        length: Fraction | None,
    ) -> None:
        self._target = target
        self._packets = packets
        self._length = length
        self._next = next(packets, None)

    def mux_until(self, time: Fraction) -> None:
        """Write the packets that start before ``time`` (seconds from the first picture)."""
        if self._length is not None:
            time = min(time, self._length)
        while self._next is not None and self._next[0] < time:
            self._target.mux(self._next[1])
            self._next = next(self._packets, None)


def _copied(
    source: InputContainer, stream: AudioStream, target: OutputContainer, start: Fraction
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    """Packets as they are, with their times moved by ``start``; those that start before it are left out."""
    copy = target.add_stream_from_template(stream)
    return _moved(source, stream, copy, start)


def _moved(
    source: InputContainer, stream: AudioStream, copy: AudioStream, start: Fraction
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    base = stream.time_base or Fraction(1, _RATE)
    offset = round(start / base)
    last: int | None = None
    for packet in _packets(source, stream):
        if packet.pts is None or packet.pts + (packet.duration or 0) <= offset:
            continue
        if last is not None and packet.pts <= last:
            continue  # a damaged clock that stands still or runs back; containers refuse it
        last = packet.pts
        packet.pts -= offset
        packet.dts = packet.pts
        time = packet.pts * base
        packet.stream = copy
        yield time, packet


def _packets(source: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """Packets with contents; a damaged end of the file ends the audio."""
    try:
        for packet in source.demux(stream):
            if packet.size:
                yield packet
    except av.error.FFmpegError:
        logger.warning("%s: its audio is damaged; the rest is silent", source.name)


def _encoded(
    source: InputContainer, stream: AudioStream, target: OutputContainer, encoder: str, start: Fraction
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    """Packets of the audio decoded, cut to the sample, with gaps filled, and encoded anew."""
    layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    copy = cast("AudioStream", target.add_stream(encoder, rate=_RATE, layout=layout))
    return _transcoded(source, stream, copy, start)


def _transcoded(
    source: InputContainer, stream: AudioStream, copy: AudioStream, start: Fraction
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    graph: Graph | None = None
    for frame in _decoded(source, stream):
        if graph is None and frame is not None:  # only a decoded frame tells the true sample format
            graph = _cutting_graph(frame, copy, start)
        if graph is None:
            return
        graph.push(frame)
        for part in _pulled(graph):
            yield from ((_seconds(packet), packet) for packet in copy.encode(part))
    yield from ((_seconds(packet), packet) for packet in copy.encode(None))


def _cutting_graph(first: AudioFrame, copy: AudioStream, start: Fraction) -> Graph:
    """Build the filters from the samples to encoder frames: cut at ``start``, moved to 0, gaps filled."""
    graph = Graph()
    graph.threads = 1
    encoder = copy.codec_context
    source = graph.add_abuffer(
        sample_rate=first.sample_rate,
        format=first.format.name,
        layout=first.layout.name,
        time_base=first.time_base,
    )
    chain = [
        graph.add("atrim", f"start={float(start)}"),
        graph.add("asetpts", f"PTS-{float(start)}/TB"),
        graph.add("aresample", f"{encoder.sample_rate}:async=1:first_pts=0"),
        graph.add("aformat", f"sample_fmts={encoder.format.name}:channel_layouts={encoder.layout.name}"),
        graph.add("asetnsamples", f"n={_FRAME[encoder.name]}:p=0"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(source, *chain).configure()
    return graph


def _decoded(source: InputContainer, stream: AudioStream) -> Iterator[AudioFrame | None]:
    """Frames of the audio, then None; what does not decode is left out."""
    for packet in _packets(source, stream):
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.InvalidDataError:
            continue
    yield None


def _pulled(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(frame, AudioFrame)
        yield frame


def _seconds(packet: Packet[AudioStream]) -> Fraction:
    return (packet.pts or 0) * Fraction(packet.time_base)
