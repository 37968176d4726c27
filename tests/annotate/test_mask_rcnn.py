"""Mask R-CNN: its mattes against torchvision's own answers, and whom it cuts out."""

import io

import numpy as np
import pytest
import torch
from random_rcnn import random_state
from torchvision.models.detection import maskrcnn_resnet50_fpn

from animate.annotate import backends
from animate.annotate.figures import area, unit_box
from animate.annotate.protocols import Box, PersonMatter
from animate.errors import UserError

SIDE = 32
SIZE = (32, 48)


def state():
    return random_state(maskrcnn_resnet50_fpn, 91)


@pytest.fixture
def matter(given_weights, capsys):
    content = io.BytesIO()
    torch.save(state(), content)
    digits = given_weights("mask_rcnn", content.getvalue())
    made = backends.mattes("mask_rcnn", device="cpu", side=SIDE)
    assert made.version.endswith(digits)
    assert "COCO" in capsys.readouterr().err
    return made


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), dtype=np.uint8)


@pytest.fixture
def answer(frames):
    """What torchvision says of the frame."""
    network = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=SIDE, box_score_thresh=0.7
    ).eval()
    network.load_state_dict(state())
    with torch.inference_mode():
        (answer,) = network([torch.from_numpy(frames[0]).permute(2, 0, 1) / 255])
    assert (answer["labels"] == 1).all()
    assert len(answer["boxes"]) > 1
    return {key: value.numpy() for key, value in answer.items()}


def test_the_matte_is_that_of_the_largest_person(matter, frames, answer):
    sides = (answer["boxes"][:, 2:] - answer["boxes"][:, :2]).prod(axis=1) * answer["scores"]
    (matte,) = matter(frames)
    assert matte.shape == SIZE
    assert matte.max() > 0
    np.testing.assert_allclose(matte, answer["masks"][sides.argmax(), 0], atol=1e-5)


def test_the_person_at_a_box_is_cut_out(matter, frames, answer):
    assert isinstance(matter, PersonMatter)
    boxes = [unit_box(corners, 1.0, SIZE) for corners in answer["boxes"]]
    wanted = min(range(len(boxes)), key=lambda n: area(boxes[n]))
    (matte,) = matter.around(frames, [boxes[wanted]])
    np.testing.assert_allclose(matte, answer["masks"][wanted, 0], atol=1e-5)
    for nowhere in (None, Box(3.0, 3.0, 4.0, 4.0)):
        assert not matter.around(frames, [nowhere]).any()


def test_other_classes_are_no_persons(given_weights, frames):
    bias = torch.zeros(91)
    bias[17] = 6.0  # a cat
    content = io.BytesIO()
    torch.save(state() | {"roi_heads.box_predictor.cls_score.bias": bias}, content)
    given_weights("mask_rcnn", content.getvalue())
    assert not backends.mattes("mask_rcnn", device="cpu", side=SIDE)(frames).any()


def test_another_file_is_told(given_weights):
    given_weights("mask_rcnn", b"nothing")
    with pytest.raises(UserError, match=r"no weights of Mask R-CNN in it.*maskrcnn_resnet50_fpn") as caught:
        backends.mattes("mask_rcnn")
    assert "\n" not in str(caught.value)
