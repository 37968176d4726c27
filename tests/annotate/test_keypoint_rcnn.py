"""Keypoint R-CNN: weights from a local server, and its answers against torchvision's own."""

import dataclasses
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from random_rcnn import random_state
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from animate.annotate import backends
from animate.annotate.figures import to_pixels
from animate.checkpoints import weights
from animate.errors import UserError

SIDE = 32
KEYPOINT_BIAS = "roi_heads.keypoint_predictor.kps_score_lowres.bias"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def small_state():
    """Every other joint is seen."""
    return random_state(
        keypointrcnn_resnet50_fpn, 2, **{KEYPOINT_BIAS: torch.tensor([3.0, -30.0] * 8 + [3.0])}
    )


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "state.pth"
    torch.save(small_state(), path)
    return path.read_bytes()


@pytest.fixture
def served(content, tmp_path, weights_folder, monkeypatch):
    """The file at a local address, in the table."""
    shared = tmp_path / "shared"
    shared.mkdir()
    file = weights.WEIGHTS["keypoint_rcnn"]
    (shared / file.file_name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shared)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ours = dataclasses.replace(
        file,
        address=f"http://127.0.0.1:{server.server_port}/{file.file_name}",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    monkeypatch.setitem(weights.WEIGHTS, "keypoint_rcnn", ours)
    yield ours
    server.shutdown()
    server.server_close()


def test_joints_are_those_of_torchvisions_surest_large_person(served, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    finder = backends.poses("keypoint_rcnn", device="cpu", side=SIDE)
    assert "COCO" in capsys.readouterr().err
    assert finder.version.endswith(served.sha256[:8])
    pose = finder(frames)
    assert pose.layout == "coco17"
    assert pose.points.shape == (2, 17, 2)

    network = keypointrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=SIDE, box_score_thresh=0.7
    ).eval()
    network.load_state_dict(small_state())
    with torch.inference_mode():
        answers = network([torch.from_numpy(frame).permute(2, 0, 1) / 255 for frame in frames])
    # The main one of the first frame; of the second, too, as the frames are about the same.
    for answer, points, found, score in zip(answers, pose.points, pose.found, pose.score, strict=True):
        assert len(answer["boxes"]) > 0
        seen = (answer["keypoints_scores"] > 0).numpy()
        np.testing.assert_array_equal(found, seen[0])
        assert found[0]
        assert not found[1]
        pixels = to_pixels(points, (32, 48))[found]
        persons = answer["keypoints"][..., :2].numpy()[:, found]
        best = int(np.abs(persons - pixels).max(axis=(1, 2)).argmin())
        np.testing.assert_allclose(pixels, persons[best], atol=1e-2)
        certainty = torch.sigmoid(answer["keypoints_scores"][best]) * answer["scores"][best]
        np.testing.assert_allclose(score[found], certainty.numpy()[found], rtol=1e-4)
        sides = (answer["boxes"][:, 2:] - answer["boxes"][:, :2]).prod(dim=1) * answer["scores"]
        assert sides[best] > sides.max() / 1.5 - 1e-6


def test_no_frames(served):
    none = backends.poses("keypoint_rcnn", device="cpu", side=SIDE)(np.zeros((0, 32, 48, 3), np.uint8))
    assert none.points.shape == (0, 17, 2)


@pytest.mark.parametrize("what", ["no torch file", "another network"])
def test_a_wrong_file_is_told(what, given_weights, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(2)}, path)
    given_weights("keypoint_rcnn", path.read_bytes() if what == "another network" else b"nothing")
    with pytest.raises(UserError, match=r"no weights of Keypoint R-CNN") as caught:
        backends.poses("keypoint_rcnn")
    assert "\n" not in str(caught.value)
