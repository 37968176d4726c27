"""Boxes of body and face against the rule written out in NumPy, and what metrics make of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from animate.layouts import BODY25_FACE_HANDS, COCO18, FACE70, MEDIAPIPE33, PUPPET, layout_named
from animate.metrics import Annotators, Networks, Scorer, build
from animate.metrics.boxes import HEAD, box_masks
from animate.metrics.evaluation import MODEL

SIZE = (60, 90)
FACE_OF = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def poses(count: int, layout=COCO18, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Persons of chance: a head of 8 pixels over a body of 40; some points are not found."""
    rng = np.random.default_rng(seed)
    head = np.array([name.rpartition(".")[2] in HEAD for name in layout.points])
    spread = np.where(head[:, None], (4, 3), (12, 20))
    pixels = np.where(head[:, None], (40, 12), (40, 35)) + spread * rng.uniform(-1, 1, (count, len(head), 2))
    found = rng.random((count, len(head))) > 0.2
    points = pixels / (np.array(SIZE[::-1]) - 1) * 2 - 1
    return torch.from_numpy(points).float(), torch.from_numpy(found)


def rectangle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((low[0] <= x) & (x <= high[0]) & (low[1] <= y) & (y <= high[1])).astype(float)


def by_rule(points: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of one COCO-18 pose."""
    pixels = (points + 1) / 2 * (np.array(SIZE[::-1]) - 1)
    body = pixels[found]
    head = pixels[[i for i, name in enumerate(COCO18.points) if name in FACE_OF and found[i]]]
    longer = (body.max(0) - body.min(0)).max()
    low, high = body.min(0) - 0.15 * longer, body.max(0) + 0.15 * longer
    if not len(head):
        return rectangle(low, high), np.zeros(SIZE)
    side = max(2 * (head.max(0) - head.min(0)).max(), 0.15 * longer)
    middle = (head.max(0) + head.min(0)) / 2
    face = middle - side / 2, middle + side / 2
    return rectangle(np.minimum(low, face[0]), np.maximum(high, face[1])), rectangle(*face)


def test_boxes_are_those_of_the_rule() -> None:
    points, found = poses(40)
    found[3, 14:], found[3, 0] = False, False  # no head
    found[4, 14:], found[4, 0] = False, True  # a nose alone
    masks = box_masks(points, found, COCO18, SIZE)
    for n in range(40):
        body, face = by_rule(points[n].double().numpy(), found[n].numpy())
        np.testing.assert_array_equal(masks["body_box"][n, 0], body)
        np.testing.assert_array_equal(masks["face_box"][n, 0], face)
    assert masks["face_box"][3].sum() == 0
    assert masks["face_box"][4].sum() > 0
    assert (masks["body_box"] >= masks["face_box"]).all()


def test_a_head_larger_than_its_body_is_in_the_bodys_box() -> None:
    pixels = np.zeros((18, 2))
    pixels[:, 0], pixels[:, 1] = 40, 40 + np.arange(18) / 4
    pixels[[14, 15]] = (20, 30), (50, 30)  # the eyes, far apart
    points = torch.from_numpy(pixels / (np.array(SIZE[::-1]) - 1) * 2 - 1)[None].float()
    masks = box_masks(points, torch.ones(1, 18, dtype=torch.bool), COCO18, SIZE)
    assert (masks["body_box"] >= masks["face_box"]).all()
    np.testing.assert_array_equal(
        masks["body_box"][0, 0], by_rule(points[0].double().numpy(), np.ones(18, bool))[0]
    )


def test_nothing_found_is_an_empty_mask() -> None:
    points, found = poses(2)
    masks = box_masks(points, torch.zeros_like(found), COCO18, SIZE)
    assert all(mask.shape == (2, 1, *SIZE) and not mask.any() for mask in masks.values())


@pytest.mark.parametrize(
    ("layout", "heads", "others"),
    [
        (MEDIAPIPE33, {*MEDIAPIPE33.points[:11]}, {"left_shoulder", "right_heel", "left_index"}),
        (BODY25_FACE_HANDS, {f"face.{p}" for p in FACE70.points} | {"nose"}, {"left_hand.thumb_4", "neck"}),
        (PUPPET, {"person.nose", "face.chin", "animal.left_ear"}, {"face.neck", "face.left_shoulder"}),
        (layout_named("coco17"), {*FACE_OF}, {"left_shoulder", "right_wrist"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_layout_has_its_head(layout, heads, others) -> None:
    found = {name for name in layout.points if name.rpartition(".")[2] in HEAD}
    assert heads <= found
    assert not others & found
    points, there = poses(3, layout)
    assert all(mask.flatten(1).any(1).all() for mask in box_masks(points, there, layout, SIZE).values())


class Distance:
    """Mean absolute difference; remembers the sizes that it saw."""

    backend = "difference 1"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.sizes += [tuple(picture.shape[-2:]) for picture in prediction]
        return (prediction - target).abs().mean((1, 2, 3))


class Finder:
    """Says what it was told, and how often it was asked."""

    name, version, layout = "fake", "1", "coco18"

    def __init__(self, points: torch.Tensor, found: torch.Tensor) -> None:
        self.points, self.found, self.asked = points.numpy(), found.numpy(), 0

    def __call__(self, frames: np.ndarray) -> SimpleNamespace:
        self.asked += 1
        assert len(frames) in (1, len(self.points)), "all targets at once, or a source"
        return SimpleNamespace(points=self.points[: len(frames)], found=self.found[: len(frames)])


def pictures(count: int) -> dict:
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(count, 3, *SIZE, generator=generator)
    noise = 0.4 * torch.rand(count, 3, *SIZE, generator=generator)
    return {
        "prediction": (target + noise).clamp(0, 1),
        "target": target,
        "source": target[:1].expand(count, -1, -1, -1).clone(),
        "clip": ["a"] * count,
        "frame": list(range(count)),
    }


def similarity(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scikit-image's map of SSIM, without the border where windows are not whole."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return structural_similarity(prediction, target, channel_axis=0, full=True, **options)[1][:, 5:-5, 5:-5]


def test_metrics_in_boxes_are_those_of_the_pixels_in_them() -> None:
    count = 5
    points, found = poses(count)
    found[2, [0, 14, 15, 16, 17]] = False
    distance, output = Distance(), pictures(count)
    output["masks"] = box_masks(points, found, COCO18, SIZE)
    metrics = ("l1", "ssim", "lpips_alex")
    names = [f"{metric}_inside_{box}" for metric in metrics for box in ("body_box", "face_box")]
    chosen = build([*names, "l1_outside_body_box"], networks=Networks(lambda _: distance))
    assert chosen.unavailable == {}
    scorer = Scorer(chosen.metrics)
    scorer.update(output)
    row = scorer.compute().rows[MODEL]
    expected: dict[str, list[float]] = {name: [] for name in row}
    for n in range(count):
        p, y = (output[side][n].double().numpy() for side in ("prediction", "target"))
        masks = by_rule(points[n].double().numpy(), found[n].numpy())
        for box, mask in zip(("body_box", "face_box"), masks, strict=True):
            if not mask.any():
                continue
            inside = mask > 0
            expected[f"l1_inside_{box}"].append(np.abs(p - y)[:, inside].mean())
            expected[f"ssim_inside_{box}"].append(similarity(p, y)[:, inside[5:-5, 5:-5]].mean())
            expected[f"lpips_alex_inside_{box}"].append(cut_out(p, y, mask))
            if box == "body_box":
                expected["l1_outside_body_box"].append(np.abs(p - y)[:, ~inside].mean())
    for name, values in expected.items():
        assert row[name].value == pytest.approx(np.mean(values), rel=1e-5), name
        assert row[name].frames == len(values)
        assert row[name].missing == count - len(values)
    assert min(min(size) for size in distance.sizes) == 64


def cut_out(p: np.ndarray, y: np.ndarray, mask: np.ndarray) -> float:
    """The difference in the rectangle, whose shorter side is brought up to 64 pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = np.stack([p, y])[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    times = 64 / min(cut.shape[-2:])
    size = [round(times * side) for side in cut.shape[-2:]]
    a, b = F.interpolate(torch.from_numpy(cut), size, mode="bilinear", align_corners=False)
    return float((a - b).abs().mean())


def test_a_back_end_for_poses_makes_boxes_where_the_data_tell_none() -> None:
    points, found = poses(4)
    finder = Finder(points, found)
    chosen = build(["l1_inside_body_box", "l1_inside_face_box"])
    told, looked = Scorer(chosen.metrics), Scorer(chosen.metrics, Annotators(points={"pose": finder}))
    told.update(pictures(4) | {"masks": box_masks(points, found, COCO18, SIZE)})
    looked.update(pictures(4))
    assert finder.asked == 1, "targets alone, once for both boxes"
    for name, summary in told.compute().rows[MODEL].items():
        assert looked.compute().rows[MODEL][name].value == pytest.approx(summary.value, rel=1e-12)


def test_targets_are_not_looked_at_again_for_their_boxes() -> None:
    finder = Finder(*poses(4))
    annotators = Annotators(points={"pose": finder})
    scorer = Scorer(build(["akd_pose", "l1_inside_face_box"], annotators=annotators).metrics, annotators)
    scorer.update(pictures(4))
    assert finder.asked == 3, "predictions, targets, the source"


def test_without_points_boxes_are_unavailable_with_the_reason() -> None:
    chosen = build(
        ["l1", "l1_inside_face_box", "lpips_vgg_inside_body_box"], networks=Networks(lambda _: Distance())
    )
    scorer = Scorer(chosen.metrics)
    scorer.update(pictures(2))
    found = scorer.compute()
    assert [definition.name for definition in found.definitions] == ["l1"]
    assert "no mask of the target's face_box" in found.unavailable["l1_inside_face_box"]
    assert "body_box" in found.unavailable["lpips_vgg_inside_body_box"]
