"""Files made to do harm: nothing in them is run, nothing is written elsewhere, no memory is taken for claims.

Whatever is hostile here leaves a mark when it is executed; each test looks for it. The index of a prepared
store is in ``data/test_store.py``, downloads are in ``checkpoints/test_weights.py``, secrets in
``training/test_redaction.py``.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import resource
import shutil
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from animate import checkpoints, safe_json
from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.description import KEY
from animate.checkpoints.load import skeleton
from animate.cli import main
from animate.data.label_maps import read_map
from animate.errors import UserError
from animate.sidecars import Header, Key, Sidecar, SidecarError
from animate.training.resume import training_of
from animate.video.probe import probe

HEADER = Header(Key("pose", "imported", "1", "0"), 10, (48, 64), 10, "coco17")
HUGE, DEEP = "1" + 400 * "0", 100_000 * "["
"""A number that is no float, and a text that no parser goes to the bottom of."""
SPARE = 1 << 30  # bytes that a process may take beyond what it has: all claims here are far larger


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    """Where a bomb leaves its mark; there is none in the end."""
    place = tmp_path / "the bomb went off"
    yield place
    assert not place.exists()


@pytest.fixture
def refused(capfd):
    """Run the command; return its one line of error."""

    def run(*arguments):
        capfd.readouterr()
        with little_memory():
            code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        lines = [line for line in err.splitlines() if line.startswith("animate: error: ")]
        assert (code, len(lines), out) == (2, 1, ""), (code, out, err)
        assert err.splitlines()[-1] == lines[0]
        return lines[0]

    return run


@contextmanager
def little_memory():
    """Let this process take no more than ``SPARE`` bytes more, whether it touches them or not."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def drive(refused, media, checkpoint, tmp_path):
    """Run ``animate drive`` with one file that is hostile."""
    (tmp_path / "results").mkdir()

    def run(**files):
        given = {"checkpoint": checkpoint, "source": media / "photo.png", "driving": media / "clip.mp4"}
        parts = [part for name, path in {**given, **files}.items() for part in (f"--{name}", path)]
        line = refused("drive", *parts, "--output", tmp_path / "results" / "out.mp4")
        assert not any((tmp_path / "results").iterdir())
        return line

    return run


def changed(checkpoint, path, **description):
    """Copy a checkpoint with another description."""
    content = torch.load(checkpoint, weights_only=True)
    content[KEY] |= description
    torch.save(content, path)
    return path


# Checkpoints


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_a_bomb_in_a_checkpoint(drive, refused, checkpoint, tmp_path, mark, zipped):
    content = torch.load(checkpoint, weights_only=True) | {"epoch": Bomb(mark)}
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    assert "holds more than tensors and plain values (posix.mkdir)" in drive(checkpoint=tmp_path / "a.ckpt")
    line = refused("convert", "u2net", "--checkpoint", tmp_path / "a.ckpt", "--output", tmp_path / "b.ckpt")
    assert "--allow-pickle" in line


def test_a_bomb_in_the_oldest_tar_layout(drive, refused, tmp_path, mark):
    bomb = pickle.dumps(Bomb(mark), protocol=2)
    with tarfile.open(tmp_path / "a.ckpt", "w:") as archive:
        for name in ("storages", "tensors", "pickle", "../escaped"):
            entry = tarfile.TarInfo(name)
            entry.size = len(bomb)
            archive.addfile(entry, io.BytesIO(bomb))
    assert "a tar file of pickles" in drive(checkpoint=tmp_path / "a.ckpt")
    line = refused("convert", "u2net", "--checkpoint", tmp_path / "a.ckpt", "--output", tmp_path / "b.ckpt")
    assert "--allow-pickle" in line
    assert not (tmp_path.parent / "escaped").exists()


def test_the_named_flag_alone_lets_a_bomb_go_off(tmp_path, capfd):
    mark = tmp_path / "mark"
    torch.save({"epoch": Bomb(mark)}, tmp_path / "a.pth")
    arguments = ["convert", "u2net", "--checkpoint", tmp_path / "a.pth", "--output", tmp_path / "b.ckpt"]
    assert main([*map(str, arguments), "--allow-pickle"]) == 2  # no weights are in it
    assert mark.exists()


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ({"networks": {"_target_": "os.mkdir", "self": "MARK"}}, "unknown argument _target_"),
        (
            {"architecture": "os.mkdir", "networks": {"self": "MARK"}},
            "no method 'os.mkdir'",
        ),
        ({"networks": {"generator_width": 10**9}}, "generator_width must be a whole number from 1 to 4096"),
        ({"networks": {"generator_depth": 10**9}}, "generator_depth must be a whole number from 0 to 8"),
        ({"networks": {"temperature": 10**400}}, "temperature must be a number from"),
    ],
    ids=["target", "import path", "width", "depth", "beyond every float"],
)
def test_a_description_that_asks_for_something_else(drive, checkpoint, tmp_path, mark, description, told):
    values = json.loads(json.dumps(description).replace("MARK", str(mark)))
    assert told in drive(checkpoint=changed(checkpoint, tmp_path / "a.ckpt", **values))


def test_a_description_that_is_nested_deep():
    nested = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(UserError, match=r"image_size must be a whole number from .* not \[+"):
        ARCHITECTURES["fomm"].networks.complete({"image_size": nested}, "here")


def hollow(kind, shape, dtype):
    """A tensor of any shape, of which next to nothing is stored."""
    if kind == "repeated":
        return torch.zeros(1, dtype=dtype).expand(shape) if shape else torch.zeros((), dtype=dtype)
    if kind == "sparse":
        return torch.zeros(shape, dtype=dtype, layout=torch.sparse_coo, device="cpu")
    return torch.empty(shape, dtype=dtype, device="meta")


@pytest.mark.parametrize("kind", ["repeated", "sparse", "meta"])
def test_widths_that_are_allowed_but_not_there(drive, tmp_path, kind):
    part = ARCHITECTURES["fomm"].networks
    arguments = part.complete(
        {"image_size": 64, "motion_size": 64, "generator_width": 4096, "generator_max_width": 4096}, "here"
    )
    with torch.device("meta"):
        expected = skeleton(part, arguments, tmp_path).state_dict()
    state = {f"networks.{key}": hollow(kind, value.shape, value.dtype) for key, value in expected.items()}
    assert sum(value.nbytes for value in expected.values()) > 4 * SPARE
    checkpoints.save(tmp_path / "a.ckpt", {"state_dict": state}, checkpoints.describe("fomm", arguments))
    assert (tmp_path / "a.ckpt").stat().st_size < 1e6
    assert "do not fit the networks" in drive(checkpoint=tmp_path / "a.ckpt")


def test_complex_weights(drive, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name, value in content["state_dict"].items() if value.is_floating_point())
    content["state_dict"][name] = content["state_dict"][name].to(torch.complex64)
    torch.save(content, tmp_path / "a.ckpt")
    assert "complex numbers: " in drive(checkpoint=tmp_path / "a.ckpt")


def test_a_checkpoint_that_swells(drive, checkpoint, tmp_path):
    with (
        zipfile.ZipFile(checkpoint) as whole,
        zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
        with packed.open("archive/bomb", "w") as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    assert "would swell to" in drive(checkpoint=tmp_path / "a.ckpt")


def test_a_stream_that_claims_more_than_it_holds(drive, tmp_path):
    torch.save({"x": torch.zeros(7)}, tmp_path / "a.ckpt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a.ckpt").read_bytes()
    place = content.index(b"K\x07", content.index(b"cpu"))  # the length of the storage
    claim = b"\x8a\x08" + (10**12).to_bytes(8, "little")
    (tmp_path / "a.ckpt").write_bytes(content[:place] + claim + content[place + 2 :])
    assert "it claims more memory than there is" in drive(checkpoint=tmp_path / "a.ckpt")


def test_a_bomb_in_the_settings_beside_a_checkpoint(tmp_path, mark):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text(f"seed: !!python/object/apply:os.mkdir ['{mark}']\n")
    with pytest.raises(UserError, match=r"config\.yaml is damaged, or more than plain settings"):
        training_of(tmp_path / "checkpoints" / "a.ckpt")


@pytest.mark.parametrize("text", [DEEP, "seed: 9999-99-99", f"seed: {10 * HUGE * 2}", 'size: "${"'])
def test_settings_that_no_parser_likes(refused, checkpoint, tmp_path, text):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text(text)
    with contextlib.suppress(UserError):  # a long number is one to some
        training_of(tmp_path / "checkpoints" / "a.ckpt")
    files = ["--config", tmp_path / "config.yaml", "--checkpoint", checkpoint]
    assert "config.yaml" in refused("convert", "fomm", *files, "--output", tmp_path / "b.ckpt")


# Pictures and videos


def png(path, width, height):
    """A header, and no pixels to speak of."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize("role", ["source", "driving"])
def test_a_picture_with_an_absurd_header(drive, tmp_path, role):
    line = drive(**{role: png(tmp_path / "a.png", 100_000, 100_000)})
    assert "a.png" in line


def test_an_absurd_picture_among_frames_and_strips(refused, tmp_path):
    for name in ("frames/0.png", "frames/1.png", "strip.png"):
        path = tmp_path / "data" / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        png(path, 100_000, 100_000)
    assert "too many pixels" in refused("data", "check", tmp_path / "data")


def test_an_absurd_map_of_classes(tmp_path):
    with little_memory(), pytest.raises(UserError, match="too many pixels"):
        read_map(png(tmp_path / "a.png", 100_000, 100_000))


def jpeg():
    """One frame of motion JPEG, 64x64."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width = encoder.height = 64
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 1000)
    picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
    return bytes((encoder.encode(picture.reformat(format="yuvj420p")) + encoder.encode(None))[0])


def write_repeated(path, content, seconds):
    """Write a video of one frame a second: the same few bytes again and again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        for second in range(seconds):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = second * 1000
            packet.duration, packet.is_keyframe = 1000, True
            container.mux(packet)
    return path


def test_a_video_with_absurd_frames(drive, tmp_path):
    content = jpeg()
    place = content.index(b"\xff\xc0") + 5  # height and width, two bytes each
    absurd = content[:place] + b"\xff\xdc" * 2 + content[place + 4 :]
    video = write_repeated(tmp_path / "a.mkv", absurd, 3)
    assert "a.mkv holds no video frame that can be decoded" in drive(driving=video)


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """Ten hours."""
    return write_repeated(tmp_path_factory.mktemp("long") / "long.mkv", jpeg(), 36_000)


def peak():
    """Peak of resident memory since ``forget_peak``, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def test_ten_hours_are_listed_without_being_decoded(long_video):
    before = forget_peak()
    info = probe(long_video)
    grown = peak() - before
    assert (info.num_frames, round(info.duration)) == (36_000, 36_000)
    assert grown < 64 * 2**20  # one frame in a hundred, decoded and kept, would be more
    assert grown < info.num_frames * 64 * 64 * 3 / 4


def test_a_few_frames_of_ten_hours(long_video, checkpoint, media, tmp_path, capfd):
    files = ["--checkpoint", checkpoint, "--source", media / "photo.png", "--driving", long_video]
    before = forget_peak()
    output = ["--output", tmp_path / "out.mp4", "--start", 30_000, "--stop", 30_003]
    assert main([str(part) for part in ("drive", *files, *output)]) == 0
    assert peak() - before < 256 * 2**20
    assert probe(tmp_path / "out.mp4").num_frames == 3


# Arrays


def packed_array(header_shape, stored_bytes, dtype="<f4"):
    """An ``.npy`` whose header says one thing while something else follows."""
    out = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": header_shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + bytes(stored_bytes)


def spoil_claim(archive, mark):
    archive.writestr("points.npy", packed_array((10**12,), 64))


def spoil_bomb(archive, mark):
    """Three gigabytes of zeros in three megabytes; header and archive agree on them."""
    packer = zlib.compressobj(wbits=-15)
    start = packer.compress(packed_array((3 << 30,), 0, "|u1")) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    archive.writestr("points.npy", start + piece * (3 << 10), zipfile.ZIP_STORED)
    member = archive.filelist[-1]  # what the archive says of it is written at the end
    member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, (3 << 30) + 128


def spoil_pickle(archive, mark):
    with archive.open("points.npy", "w") as member:
        np.lib.format.write_array(member, np.array([Bomb(mark)], object))


@pytest.mark.parametrize("spoil", [spoil_claim, spoil_bomb, spoil_pickle])
def test_arrays_that_are_not_what_they_say(refused, media, tmp_path, mark, spoil):
    path = tmp_path / "folder" / "poses.npz"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        spoil(archive, mark)
    line = refused("annotate", "pose", media / "clip.mp4", "--import", path, "--output", tmp_path / "out")
    assert "poses.npz is not a NumPy file that can be read" in line
    with zipfile.ZipFile(path, "a") as archive, archive.open("header.npy", "w") as member:
        np.lib.format.write_array(member, np.asarray(HEADER.dumps()))
    with little_memory(), Sidecar(path) as sidecar, pytest.raises(SidecarError, match="is damaged or no"):
        sidecar.array("points")


def test_an_array_file_that_claims_more_than_it_holds(refused, media, tmp_path):
    (tmp_path / "poses.npy").write_bytes(packed_array((10**10, 17, 2), 64))
    line = refused("annotate", "pose", media / "clip.mp4", "--import", tmp_path / "poses.npy")
    assert "poses.npy is not a NumPy file that can be read" in line


@pytest.mark.parametrize(
    "text", ["[" * 100_000, " " * (1 << 24), json.dumps({"format": 1, "key": {"_target_": "os.system"}})]
)
def test_a_sidecar_with_a_hostile_header(tmp_path, text):
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("header.npy", "w") as member,
    ):
        np.lib.format.write_array(member, np.asarray(text))
    with little_memory(), pytest.raises(SidecarError, match=r"a\.npz is damaged or no sidecar"):
        Sidecar(tmp_path / "a.npz")


def test_an_array_of_no_size_that_no_machine_can_count(refused, media, tmp_path):
    (tmp_path / "poses.npy").write_bytes(packed_array((0, int(HUGE)), 0))
    line = refused("annotate", "pose", media / "clip.mp4", "--import", tmp_path / "poses.npy")
    assert "poses.npy is not a NumPy file that can be read" in line


@pytest.mark.parametrize(
    "header",
    [
        {"num_frames": "10"},
        {"found": -1},
        {"layout": ["coco17"]},
        {"size": [48, 64.5]},
        {"num_frames": 10**30},
    ],
)
def test_a_sidecar_whose_header_is_no_header(tmp_path, header):
    text = json.dumps(json.loads(HEADER.dumps()) | header)
    np.savez(tmp_path / "a.npz", header=np.asarray(text))
    with pytest.raises(SidecarError, match=r"a\.npz is damaged or no sidecar"):
        Sidecar(tmp_path / "a.npz")


# Texts


NO_JSON = [DEEP, HUGE, "-" + HUGE, "1e999", "[Infinity]", str(2**63), "{", "", b"\xff"]


@pytest.mark.parametrize("text", NO_JSON)
def test_no_json_that_a_program_cannot_compute_with(text):
    with pytest.raises(ValueError):  # noqa: PT011  the message is the parser's
        safe_json.loads(text)


def test_json_is_otherwise_what_it_always_is():
    text = json.dumps({"a": [1, -2.5, None, True, "1e999", 2**63 - 1, 1e308], "b": {"c": "é"}})
    assert safe_json.loads(text) == json.loads(text)
    assert math.isnan(safe_json.loads("NaN"))


@pytest.mark.parametrize("number", [99_999_999_999, HUGE])
def test_a_pose_of_a_frame_that_is_far_away(refused, media, tmp_path, number):
    person = f'"keypoints": {[1] * 51}, "score": 1, "people": []'
    for name, key in (("coco", "image_id"), ("openpose", "frame")):
        path = tmp_path / f"{name}.json"
        path.write_text(f'[{{"{key}": {number}, {person if key == "image_id" else person[-12:]}}}]')
        line = refused("annotate", "pose", "--import", path, media / "clip.mp4", "--output", tmp_path / "out")
        assert path.name in line


def test_an_index_cache_is_never_a_reason_to_stop(media, tmp_path, capfd):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        shutil.copy(media / "clip.mp4", tmp_path / split / "clip.mp4")
    told = main(["data", "check", str(tmp_path)])
    assert told == 1  # the same clip twice
    cache = tmp_path / ".animate-index.json"
    head, body = cache.read_text().splitlines()
    for spoiled in (f"{DEEP}\n{body}", f"{head}\n{DEEP}", f"{head}\n{HUGE}"):
        cache.write_text(spoiled)
        assert main(["data", "check", str(tmp_path)]) == told, capfd.readouterr()


def test_an_evaluation_with_a_number_that_is_none(refused, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(f'{{"value": {HUGE}}}')
    assert "metrics.json" in refused("compare", tmp_path / "a", tmp_path / "b", "--output", tmp_path / "out")


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIAXYZ:SuperSecret99@bucket/store",
        "http://user:SuperSecret99@127.0.0.1:9/store",
        "https://127.0.0.1:9/store?token=SuperSecret99",
        "nosuch://user:SuperSecret99@host/store",
        "ftp://user:SuperSecret99@127.0.0.1:9/store",
    ],
)
def test_what_cannot_be_reached_is_told_without_its_password(refused, address):
    line = refused("data", "check", address)
    assert "SuperSecret99" not in line
    assert "cannot be re" in line


# Lists


def test_a_list_that_names_the_home_of_nobody(refused, tmp_path):
    (tmp_path / "list.jsonl").write_text('{"path": "~nobody-of-this-name/a.mp4", "split": "train"}\n')
    assert "list.jsonl, line 1" in refused("data", "check", tmp_path / "list.jsonl")


def test_a_list_shows_nothing_of_files_that_are_no_clips(refused, tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "list").mkdir()
    for path in ("../secret", str(tmp_path / "secret")):
        (tmp_path / "list" / "list.csv").write_text(f"path,split\n{path},test\n")
        line = refused("data", "check", tmp_path / "list" / "list.csv")
        assert "no video, strip or folder of frames" in line
        assert "hunter2" not in line


def test_what_is_made_of_a_list_stays_in_its_folder(checkpoint, media, tmp_path, capfd):
    """A list may name clips anywhere; their names lead nowhere else."""
    (tmp_path / "list").mkdir()
    for place in ("outside", "list/a/b/c"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(media / "clip.mp4", tmp_path / place / "clip.mp4")
    paths = ["../outside/clip.mp4", "a/../../outside/../list/a/b/c/clip.mp4", str(media / "clip.mp4")]
    (tmp_path / "list" / "list.csv").write_text("path,split\n" + "".join(f"{p},test\n" for p in paths))
    before = everything(tmp_path)
    arguments = ["--checkpoint", checkpoint, "--data", tmp_path / "list" / "list.csv", "--split", "test"]
    code = main(
        [str(a) for a in ("reconstruct", *arguments, "--output", tmp_path / "out", "--frames", "png")]
    )
    assert code == 0, capfd.readouterr()
    made = everything(tmp_path) - before
    inside = {path for path in made if path.is_relative_to(tmp_path / "out")}
    assert len({path.parent for path in inside if path.name == "000000.png"}) == 3
    assert {path.name for path in made - inside} <= {".animate-index.json.list.csv.json"}


def everything(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("line", ["[" * 100_000, '{"path": "a", "split": "test", "start": 1e999}'])
def test_a_hostile_line_of_json(refused, tmp_path, line):
    (tmp_path / "list.jsonl").write_text(line + "\n")
    assert "list.jsonl, line 1" in refused("data", "check", tmp_path / "list.jsonl")
