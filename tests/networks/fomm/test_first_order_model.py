import pytest
import torch
import torch.nn.functional as F

from animate.errors import UserError
from animate.networks.fomm import Discriminator, FirstOrderModel, KeypointDetector
from animate.networks.fomm.dense_motion import sparse_motions
from animate.ops.grid import pixel_grid

SLIM = {
    "num_keypoints": 4,
    "motion_size": 16,
    "keypoint_width": 4,
    "keypoint_depth": 2,
    "motion_width": 4,
    "motion_depth": 2,
    "generator_width": 4,
    "generator_blocks": 1,
}


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_the_published_ones():
    with torch.device("meta"):
        model, shared = FirstOrderModel(), FirstOrderModel(jacobian="shared")
        plain, conditioned = Discriminator(), Discriminator(condition_on_keypoints=True)
        spectral = Discriminator(spectral_norm=True)
    assert count(model.generator) == 45_575_391
    assert count(model.generator.dense_motion) == 37_730_268
    assert count(model.keypoint_detector) == 14_215_368
    assert count(shared.keypoint_detector) == 14_153_592
    assert count(plain) == count(spectral) == 2_758_849
    assert count(conditioned) == 2_769_089


@pytest.mark.parametrize(("image_size", "factor"), [(64, 1), (128, 2), (256, 4), (384, 6), (512, 8)])
def test_every_preset_gives_the_same_weights(image_size: int, factor: int):
    with torch.device("meta"):
        model, reference = FirstOrderModel(image_size), FirstOrderModel(256)
    assert model.keypoint_detector.downsample.factor == factor
    assert model.generator.dense_motion.downsample.factor == factor
    shapes, expected = ({k: v.shape for k, v in m.state_dict().items()} for m in (model, reference))
    assert shapes == expected


def test_weights_of_one_size_run_at_another():
    small, large = FirstOrderModel(32, **SLIM), FirstOrderModel(96, **SLIM)
    large.load_state_dict(small.state_dict())
    keypoints = large.eval().keypoint_detector(torch.rand(1, 3, 96, 96))
    animation = large.generator(torch.rand(1, 3, 96, 96), kp_source=keypoints, kp_driving=keypoints)
    assert animation["prediction"].shape == (1, 3, 96, 96)
    assert animation["mask"].shape == (1, 5, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"generator_blend": True, "occlusion": False}, "needs an occlusion map"),
        ({"image_size": 100}, "not a multiple of motion_size"),
        ({"image_size": 240, "motion_size": 48}, "multiple of 32"),
        ({"image_size": 64, "motion_size": 4, "keypoint_depth": 1, "motion_depth": 1}, "at least 8"),
        ({"image_size": 64, "generator_depth": 7}, "multiple of 128"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        FirstOrderModel(**arguments)


def test_arguments_rebuild_the_same_networks():
    model, judge = FirstOrderModel(32, jacobian="shared", **SLIM), Discriminator(3, 4, 8, 2, True, True)
    FirstOrderModel(**model.arguments).load_state_dict(model.state_dict())
    Discriminator(**judge.arguments).load_state_dict(judge.state_dict())
    assert model.arguments["jacobian"] == "shared"
    assert model.arguments["image_size"] == 32


@pytest.mark.parametrize("kind", ["per_keypoint", "shared", "none"])
def test_keypoints_lie_inside_and_start_with_unit_jacobians(kind):
    detector = KeypointDetector(4, kind, downsample_factor=2, width=4, depth=2)
    keypoints = detector(torch.rand(2, 3, 32, 32))
    assert keypoints["value"].shape == (2, 4, 2)
    assert keypoints["value"].abs().max() <= 1
    if kind == "none":
        assert "jacobian" not in keypoints
    else:
        torch.testing.assert_close(keypoints["jacobian"], torch.eye(2).expand(2, 4, 2, 2))


def test_a_keypoint_is_where_its_heat_map_is_hot():
    """With weights that pick the red channel, a red dot is found at its place."""
    detector = KeypointDetector(1, "none", downsample_factor=1, temperature=0.1, width=4, depth=1).eval()
    torch.nn.init.zeros_(detector.heatmap.weight)
    with torch.no_grad():
        detector.heatmap.weight[0, -3, 3, 3] = 10.0  # the centre of the kernel, the picture's red channel
    picture = torch.zeros(1, 3, 32, 32)
    picture[0, 0, 10, 20] = 1.0
    found = detector(picture)["value"][0, 0]
    # The 7x7 convolution without padding leaves 26 pixels, 3 less on each side.
    expected = torch.tensor([(20 - 3) / 25 * 2 - 1, (10 - 3) / 25 * 2 - 1])
    torch.testing.assert_close(found, expected)


def keypoints_at(batch: int, jacobian: bool = True):
    keypoints = {"value": torch.rand(batch, 4, 2) - 0.5}
    if jacobian:
        keypoints["jacobian"] = torch.eye(2) + 0.3 * torch.randn(batch, 4, 2, 2)
    return keypoints


@pytest.mark.parametrize("jacobian", [True, False])
def test_sparse_motions_equal_the_equation(jacobian):
    source, driving = keypoints_at(2, jacobian), keypoints_at(2, jacobian)
    motions = sparse_motions((5, 7), source, driving)
    grid = pixel_grid(5, 7)
    torch.testing.assert_close(motions[:, 0], grid.expand(2, -1, -1, -1))
    for b in range(2):
        for k in range(4):
            matrix = torch.eye(2)
            if jacobian:
                matrix = source["jacobian"][b, k] @ torch.linalg.inv(driving["jacobian"][b, k])
            for y, x in [(0, 0), (4, 6), (2, 3)]:
                expected = source["value"][b, k] + matrix @ (grid[y, x] - driving["value"][b, k])
                torch.testing.assert_close(motions[b, k + 1, y, x], expected, rtol=1e-4, atol=1e-5)


def test_keypoints_that_stand_still_move_nothing():
    model, source = FirstOrderModel(32, **SLIM).eval(), torch.rand(2, 3, 32, 32)
    keypoints = keypoints_at(2)
    animation = model.generator(source, kp_source=keypoints, kp_driving=keypoints)
    expected = pixel_grid(16, 16).expand(2, -1, -1, -1)
    torch.testing.assert_close(animation["deformation"], expected, rtol=1e-4, atol=1e-5)
    for slot in range(5):
        down = model.generator.dense_motion.downsample(source)
        torch.testing.assert_close(animation["sparse_deformed"][:, slot], down, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(animation["mask"].sum(dim=1), torch.ones(2, 16, 16))


@pytest.mark.parametrize("occlusion", [True, False])
def test_one_encoded_source_serves_many_driving_frames(occlusion):
    model = FirstOrderModel(32, occlusion=occlusion, **SLIM).eval()
    source, kp_source, kp_driving = torch.rand(1, 3, 32, 32), keypoints_at(1), keypoints_at(3)
    features = model.generator.encode(source)
    together = model.generator.decode(features, source, kp_source=kp_source, kp_driving=kp_driving)
    assert ("occlusion_map" in together) == occlusion
    for index in range(3):
        one = {name: value[index : index + 1] for name, value in kp_driving.items()}
        alone = model.generator(source, kp_source=kp_source, kp_driving=one)
        for name, value in alone.items():
            torch.testing.assert_close(together[name][index : index + 1], value, rtol=1e-4, atol=1e-5)


def test_a_blending_generator_keeps_the_warped_source_where_nothing_is_occluded():
    plain, blending = (
        FirstOrderModel(32, **SLIM).eval(),
        FirstOrderModel(32, generator_blend=True, **SLIM).eval(),
    )
    blending.load_state_dict(plain.state_dict())
    source, kp_source, kp_driving = torch.rand(2, 3, 32, 32), keypoints_at(2), keypoints_at(2)
    invented = plain.generator(source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
    result = blending.generator(source, kp_source=kp_source, kp_driving=kp_driving)
    kept = F.interpolate(result["occlusion_map"], (32, 32), mode="bilinear", align_corners=False)
    expected = kept * result["deformed"] + (1 - kept) * invented
    torch.testing.assert_close(result["prediction"], expected)
    with torch.no_grad():
        blending.generator.dense_motion.occlusion.bias.fill_(50.0)
    result = blending.generator(source, kp_source=kp_source, kp_driving=kp_driving)
    torch.testing.assert_close(result["prediction"], result["deformed"])


def test_under_autocast_keypoints_and_motion_stay_float32():
    model, source = FirstOrderModel(32, **SLIM).eval(), torch.rand(1, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        keypoints = model.keypoint_detector(source)
        animation = model.generator(source, kp_source=keypoints, kp_driving=keypoints_at(1))
    assert {value.dtype for value in keypoints.values()} == {torch.float32}
    for name in ("prediction", "deformed", "deformation", "mask", "occlusion_map"):
        assert animation[name].dtype == torch.float32, name


def test_the_discriminator_sees_the_keypoints_when_told_to():
    picture, points = torch.rand(2, 3, 64, 64), torch.rand(2, 4, 2)
    judge = Discriminator(4, width=4, max_width=8, condition_on_keypoints=True).eval()
    first, second = judge(picture, points), judge(picture, points / 2)
    assert not torch.equal(first.score, second.score)
    assert [feature.shape[1:] for feature in first.features] == [
        (8, 30, 30),
        (8, 13, 13),
        (8, 5, 5),
        (8, 2, 2),
    ]
    assert first.score.shape == (2, 1, 2, 2)
