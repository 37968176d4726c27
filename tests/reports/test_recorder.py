from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from animate.errors import UserError
from animate.reports import recorder as module
from animate.reports.recorder import Recorder
from animate.video.decode import stream
from animate.video.image import read_image

SIZE = 48


def frames(count, level):
    """Frames of one grey level each, ``level`` a number or one for each frame."""
    levels = torch.as_tensor(level, dtype=torch.float32).expand(count)
    return levels[:, None, None, None].expand(-1, 3, SIZE, SIZE)


def cells(picture, count):
    """The grey levels in the middle of each of ``count`` pictures side by side."""
    width = picture.shape[1] // count
    return [int(picture[SIZE // 2, width * i + width // 2].mean()) for i in range(count)]


def test_video_and_worst_frame(tmp_path):
    errors = [0.1, 0.0, 0.3, 0.2, 0.1]
    with Recorder(tmp_path, fps=10) as recorder:
        target = frames(5, 0.6)
        prediction = frames(5, [0.6 - error for error in errors])
        for part in (slice(0, 2), slice(2, 5)):  # batches do not matter
            recorder.add("a", frames(5, 0.2)[part], target[part], prediction[part])
        recorder.add("b", frames(1, 1.0), frames(1, 0.0), frames(1, 0.0))
    shown = [cells(frame.image, 3) for frame in stream(recorder.recording("a").video)]
    expected = [[51, 153, round(255 * (0.6 - error))] for error in errors]
    np.testing.assert_allclose(shown, expected, atol=4)  # H.264
    worst = cells(read_image(recorder.recording("a").worst), 4)
    np.testing.assert_allclose(worst, [51, 153, 76, 2 * 77], atol=3)  # JPEG
    assert recorder.recording("a") != recorder.recording("b")
    assert recorder.recording("b").worst.is_file()
    assert len(list(tmp_path.iterdir())) == 4


def test_any_process_finds_the_files(tmp_path):
    name = 'odd/../"name\udcff日本'
    with Recorder(tmp_path) as recorder:
        recorder.add(name, frames(1, 0), frames(1, 0), frames(1, 0))
    assert Recorder(tmp_path).recording(name).video.is_file()


def test_caps(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAMES", 3)
    monkeypatch.setattr(module, "MAX_SIDE", 16)
    with Recorder(tmp_path) as recorder:
        wide = torch.zeros(5, 3, 20, 40)
        late = wide.clone()
        late[4] = 1.0  # past the end of the video, still the worst frame
        recorder.add("a", wide, wide, late)
        assert recorder.recording("a").video.is_file()  # no encoder is kept for the rest of the clip
    shown = list(stream(recorder.recording("a").video))
    assert len(shown) == 3
    height, width = shown[0].image.shape[:2]
    assert 8 <= height < 8 + 8
    assert 3 * 16 <= width < 3 * 16 + 12
    assert cells_mean(read_image(recorder.recording("a").worst), 2, 4) > 240


def cells_mean(picture, index, count):
    width = picture.shape[1] // count
    return float(picture[4:-4, width * index + 5 : width * (index + 1) - 4].mean())


def test_a_prediction_that_is_no_number_is_the_worst(tmp_path):
    prediction = frames(3, [0.0, 0.5, 0.9]).clone()
    prediction[1] = torch.nan
    with Recorder(tmp_path) as recorder:
        recorder.add("a", frames(3, 0.4), frames(3, [0.1, 0.2, 0.3]), prediction)
    np.testing.assert_allclose(cells(read_image(recorder.recording("a").worst), 3 + 1)[1], 51, atol=3)


def test_memory_does_not_grow_with_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FRAMES", 1000)

    def peak(batches):
        tracemalloc.start()
        with Recorder(tmp_path) as recorder:
            for _ in range(batches):
                recorder.add("a", frames(4, 0.1), frames(4, 0.5), frames(4, 0.6))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(2)  # imports, caches
    short = peak(10)
    assert peak(60) < short + 4 * 3 * SIZE * SIZE * 4  # one batch; 50 batches more were added


def test_nothing_half_written_after_an_error(tmp_path):
    def stop():
        with Recorder(tmp_path) as recorder:
            recorder.add("a", frames(2, 0), frames(2, 0), frames(2, 0))
            assert len(list(tmp_path.iterdir())) <= 1
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="does not exist"), Recorder(tmp_path / "x") as recorder:
        recorder.add("a", frames(1, 0), frames(1, 0), frames(1, 0))
