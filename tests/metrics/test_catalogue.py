"""Metrics by name: every name, every ending, what is missing, what is unknown."""

from __future__ import annotations

import pytest
import torch
from scenes import FakeIdentity, FakePoints

from animate.errors import UserError
from animate.metrics import L1, Annotators, Networks, build
from animate.metrics.catalogue import NAMES


class FakeNetwork:
    backend = "fake 1"
    size = 4

    def __call__(self, *pictures: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(pictures[0]), 4)


def networks(made: list[str] | None = None) -> Networks:
    log = [] if made is None else made

    def network(name: str) -> FakeNetwork:
        log.append(name)
        return FakeNetwork()

    return Networks(network, lambda: network("features"), lambda pictures: torch.zeros(len(pictures), 3, 2))


def names(found) -> list[str]:
    return [metric.definition.name for metric in found.metrics]


def test_every_name_makes_the_metric_of_that_name() -> None:
    annotators = Annotators(points={"landmarks": FakePoints()}, identity=FakeIdentity())
    for name in NAMES:
        found = build([name], annotators=annotators, networks=networks())
        assert not found.unavailable
        (column,) = names(found)
        assert column in {name, f"{name}_landmarks"}
        assert found.metrics[0].needs <= annotators.offered


@pytest.mark.parametrize(
    "name",
    [
        "l1_inside_person",
        "psnr_outside_face",
        "ssim_inside_hole",
        "ms_ssim_3",
        "one_minus_ms_ssim_outside_person",
        "one_minus_ms_ssim_2_inside_face",
    ],
)
def test_endings_of_pixel_metrics_are_read(name) -> None:
    assert names(build([name])) == [name]


def test_a_metric_of_points_stands_for_all_sets_or_for_the_named_one() -> None:
    annotators = Annotators(points={"puppet": FakePoints(), "landmarks": FakePoints()})
    assert names(build(["akd"], annotators=annotators)) == ["akd_landmarks", "akd_puppet"]
    found = build(["akd_coordinate_puppet", "akd_pose"], annotators=annotators)
    assert names(found) == ["akd_coordinate_puppet"]
    assert found.unavailable == {"akd_pose": "no back-end for pose was chosen"}


def test_lengths_are_those_of_the_figure() -> None:
    annotators = Annotators(points={"landmarks": FakePoints(layout="face68"), "pose": FakePoints()})
    eyes, box = build(["nme"], annotators=annotators).metrics
    assert "outer eye corners" in eyes.definition.text
    assert "diagonal of the box" in box.definition.text
    assert eyes.definition.backend == "fake 1 face68"


def test_what_cannot_be_had_is_listed_with_the_reason() -> None:
    found = build(["l1", *(name for name in NAMES if name not in {"l1", "psnr", "ssim"})])
    assert names(found) == [
        "l1",
        "ms_ssim",
        "one_minus_ms_ssim",
        "flicker",
        "warping_error",
        "jitter_keypoints",
    ]
    assert found.unavailable["fid"] == "weights not available: no networks were handed in"
    assert found.unavailable["csim"] == "no back-end for the identity was chosen"
    assert found.unavailable["akd"] == "no back-end for landmarks or pose or puppet was chosen"
    assert "keypoints" in found.unavailable["keypoint_stability"]

    def refused(net: str = "") -> FakeNetwork:
        raise UserError("no network")

    found = build(["lpips_vgg", "kid"], networks=Networks(refused, refused))
    assert found.unavailable == dict.fromkeys(["lpips_vgg", "kid"], "weights not available: no network")


def test_networks_are_made_when_asked_for_and_shared() -> None:
    made: list[str] = []
    build(["l1", "fid", "kid", "lpips_alex"], networks=networks(made))
    assert made == ["features", "alex"]


def test_names_given_twice_and_metrics_of_ones_own() -> None:
    own = L1("hole")
    found = build(["l1", "l1"], own=[own])
    assert names(found) == ["l1", "l1_inside_hole"]
    assert found.metrics[-1] is own


@pytest.mark.parametrize(
    "name", ["l2", "", "akd_hands", "l1_3", "psnr_inside_sky", "ms_ssim_9", "fid_person"]
)
def test_an_unknown_name_lists_the_known_ones(name) -> None:
    with pytest.raises(
        UserError, match=r"metrics: there is no '.*'; there are l1, psnr, .*keypoint_stability"
    ) as raised:
        build([name])
    assert "\n" not in str(raised.value)
