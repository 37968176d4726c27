"""A store in a bucket, read through s3fs from a server on this machine that speaks S3."""

from __future__ import annotations

import logging
from multiprocessing import forkserver

import numpy as np
import pytest

from animate.cli import main
from animate.data.export import export
from animate.data.folder import folder_index
from animate.data.loaders import worker_context
from animate.data.module import VideoDataModule
from animate.data.synthetic import PuppetIndex
from animate.data.views import FramePair, Reconstruction
from animate.errors import UserError

pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def environment():
    with pytest.MonkeyPatch.context() as patch:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else each request is a line on stderr
        server = moto.ThreadedMotoServer(port=0)
        server.start()
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        _forget()
        yield
        server.stop()
    _forget()


def _forget() -> None:
    """Let the next connection, and the next data worker, be of the environment of now."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    forkserver._forkserver._stop()
    worker_context.cache_clear()


@pytest.fixture(scope="module")
def stores(environment, tmp_path_factory):
    """A store here, and the same in a bucket."""
    import s3fs

    folder = tmp_path_factory.mktemp("data")
    drawn = PuppetIndex(train_clips=3, val_clips=1, test_clips=1, frames=6, size=48)
    export(drawn, folder / "puppets", ("train", "test"), (48, 48))
    assert main(["data", "prepare", str(folder / "puppets"), str(folder / "store"), "--size", "48"]) == 0
    bucket = s3fs.S3FileSystem()
    bucket.mkdir("clips")
    bucket.put(str(folder / "store"), "clips/store", recursive=True)
    return folder / "store", "s3://clips/store"


def test_frames_and_annotations_are_the_same(stores):
    clips = [folder_index(root).clips("train")[0] for root in stores]
    frames = [clip.reader.open(clip).frames([4, 1, 4], None) for clip in clips]
    np.testing.assert_array_equal(*frames)
    known = [clip.reader.open(clip).truth([0, 3], (24, 24)) for clip in clips]
    assert "person_mask" in known[1]
    for key in known[0]:
        np.testing.assert_array_equal(known[0][key], known[1][key])


def test_only_ranges_of_the_large_files_are_read(stores, monkeypatch):
    import s3fs

    asked = []
    whole = s3fs.S3FileSystem._cat_file

    async def noted(self, path, version_id=None, start=None, end=None):
        asked.append((path, start, end))
        return await whole(self, path, version_id=version_id, start=start, end=end)

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", noted)
    clip = folder_index(stores[1]).clips("train")[0]
    reader = clip.reader.open(clip)
    reader.frames([0, 5], None)
    parts = [(start, end) for path, start, end in asked if path.endswith(".tar")]
    assert len(parts) == 3  # the table, and the two frames
    assert sum(end - start for start, end in parts) < clip.reader.part_size / 4


def test_workers_read_from_the_bucket(stores):
    both = []
    for root in stores:
        data = VideoDataModule(
            folder_index(root),
            image_size=48,
            batch_size=3,
            train_view=FramePair(),
            eval_view=Reconstruction(frames=2),
            num_workers=1,
        )
        both.append(next(iter(data.train_dataloader())))
        data.on_exception(KeyboardInterrupt())
    here, there = both
    assert not there["skipped"]
    assert here["clip"] == there["clip"]
    assert here["tensors"]["frames"].equal(there["tensors"]["frames"])


def test_what_is_not_there_is_one_line(stores, capsys):
    with pytest.raises(UserError, match="no prepared store"):
        folder_index("s3://clips/elsewhere")
    assert main(["data", "check", "s3://no-such-bucket/store"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_check_of_a_bucket(stores, capsys):
    assert main(["data", "check", stores[1], "--decode"]) in (0, 1)
    assert "every frame was decoded" in capsys.readouterr().out
