"""Networks of pix2pixHD; that they equal the published ones is tested in tests/golden."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from animate.errors import UserError
from animate.modules.optim import freeze
from animate.networks.pix2pixhd import FaceGenerator, Generator, MultiscaleDiscriminator, Pix2PixHD

TINY = {"width": 8, "depth": 2, "blocks": 1, "enhancer_blocks": 1, "encoder_width": 4, "encoder_depth": 1}
LABEL_MODES = {
    "limbs": {"labels": 18},
    "drawing": {"labels": 3, "indexed": False},
    "cityscapes": {"labels": 35, "edges": True, "features": 3},
}


def tiny(**options) -> Pix2PixHD:
    return Pix2PixHD(**(TINY | options))


def label_of(mode: dict, side: int = 32) -> torch.Tensor:
    if mode.get("indexed", True):
        return torch.randint(mode["labels"], (2, 1, side, side))
    return torch.rand(2, 3, side, side)


@pytest.mark.parametrize("enhancers", [0, 1, 2])
@pytest.mark.parametrize("mode", LABEL_MODES)
def test_every_label_mode_gives_pictures(mode, enhancers):
    options = LABEL_MODES[mode]
    model = tiny(**options, previous=True, enhancers=enhancers)
    label, instance, picture = label_of(options), torch.randint(5, (2, 1, 32, 32)), torch.rand(2, 3, 32, 32)
    features = model.encoder(picture, instance) if model.encoder else None
    made = model(label, instance=instance, features=features, previous=picture)
    assert made.shape == (2, 3, 32, 32)
    assert 0 <= made.min() < made.max() <= 1
    condition = model.condition(label, instance)
    assert condition.shape == (2, options["labels"] + options.get("edges", 0), 32, 32)
    made.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_inputs_stand_in_their_order():
    model = tiny(labels=4, edges=True, features=3, previous=True)
    label, instance = torch.randint(4, (2, 1, 8, 8)), torch.randint(3, (2, 1, 8, 8))
    features, previous = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    x = model.join(model.condition(label, instance), features=features, previous=previous)
    assert x.shape == (2, model.in_channels, 8, 8)
    assert torch.equal(x[:, :4], F.one_hot(label[:, 0], 4).permute(0, 3, 1, 2).float())
    assert set(x[:, 4].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(x[:, 5:8], features)
    assert torch.equal(x[:, 8:], 2 * previous - 1)
    first = model.join(model.condition(label, instance), features=features)
    assert torch.equal(first[:, 8:], torch.zeros(2, 3, 8, 8))
    assert torch.equal(first[:, :8], x[:, :8])


def test_a_number_that_is_no_class_has_no_class():
    model = tiny(labels=4)
    condition = model.condition(torch.tensor([[255, 3], [-1, 0]]).view(1, 1, 2, 2))
    assert condition.sum(dim=1).flatten().tolist() == [0, 1, 0, 1]


def test_an_enhancer_sees_the_fine_picture_and_the_global_part_the_halved_one():
    generator, seen = Generator(3, 3, 8, 1, 1, enhancers=2, enhancer_blocks=1), {}
    parts = {"trunk": generator.trunk, **{str(n): part for n, part in enumerate(generator.enhancers)}}
    for name, part in parts.items():
        part.register_forward_hook(lambda _, x, y, name=name: seen.__setitem__(name, (x[0], y)))
    x = torch.rand(1, 3, 32, 24)
    generator(x)
    assert torch.equal(seen["1"][0], x)
    # Of a corner only four of nine pixels are inside, and only they count.
    halved = seen["0"][0]
    assert halved[0, :, 0, 0].tolist() == pytest.approx(x[0, :, :2, :2].mean(dim=(1, 2)).tolist())
    assert halved[0, :, 3, 3].tolist() == pytest.approx(x[0, :, 5:8, 5:8].mean(dim=(1, 2)).tolist())
    assert [tuple(y.shape[1:]) for _, y in seen.values()] == [(8, 8, 6), (4, 16, 12), (2, 32, 24)]


@pytest.mark.parametrize(("size", "enhancers"), [((30, 32), 0), ((32, 36), 1)])
def test_sizes_that_do_not_halve_are_refused(size, enhancers):
    generator = Generator(3, 3, 8, 2, 1, enhancers)
    told = rf"multiples of {generator.multiple} and at least \d+, not {size[0]} x {size[1]}"
    with pytest.raises(UserError, match=told):
        generator(torch.zeros(1, 3, *size))


@pytest.mark.parametrize(("depth", "enhancers", "smallest"), [(0, 0, 4), (1, 0, 4), (3, 0, 16), (2, 2, 32)])
def test_the_smallest_size_can_be_trained_on_and_a_smaller_one_is_refused(depth, enhancers, smallest):
    generator = Generator(3, 3, 8, depth, 1, enhancers, 1).train()
    generator(torch.rand(1, 3, smallest, smallest)).sum().backward()
    with pytest.raises(UserError, match=f"at least {smallest}"):
        generator(torch.rand(1, 3, smallest, smallest // 2))


def test_a_width_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match="width 12 cannot be halved 3 times"):
        Generator(3, width=12, enhancers=3)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_computing_blocks_again_changes_neither_gradients_nor_statistics(norm):
    kept, again = (tiny(norm=norm, enhancers=1, previous=True).train() for _ in range(2))
    again.load_state_dict(kept.state_dict())
    again.recompute()
    label, previous = torch.randint(18, (2, 1, 16, 16)), torch.rand(2, 3, 16, 16)
    calls = []
    again.generator.trunk.blocks[0].conv1.register_forward_hook(
        lambda *_: calls.append(torch.is_grad_enabled())
    )
    for model in (kept, again):
        model(label, previous=previous).square().sum().backward()
    assert calls == [True, True]  # once on the way there, once on the way back
    for (name, value), other in zip(kept.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(value.grad, other.grad, msg=name)
    for (name, value), other in zip(kept.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    with torch.no_grad():
        again(label)
    assert len(calls) == 3


def test_a_frozen_global_part_gets_no_gradient_and_the_rest_does():
    model = tiny(enhancers=1)
    freeze(model, ["generator.trunk"])
    model(torch.randint(18, (1, 1, 16, 16))).sum().backward()
    learning = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {
        name for name, _ in model.named_parameters() if not name.startswith("generator.trunk.")
    }


def test_the_face_generator_adds_a_residual():
    face, crop = FaceGenerator(3, width=4, depth=2, blocks=1), torch.rand(2, 3, 16, 16)
    label = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        residual = face(label, crop) - crop
        assert 0 < residual.abs().max() <= 0.5
        nn.init.zeros_(face.head.weight)
        nn.init.zeros_(face.head.bias)
        assert torch.equal(face(label, crop), crop)
        nn.init.constant_(face.head.bias, 100.0)
        assert torch.allclose(face(label, crop), crop + 0.5)


def test_the_published_face_generator_has_six_inputs():
    with torch.device("meta"):
        face = Pix2PixHD(labels=3, indexed=False, previous=True, face=True).face
    assert face.trunk.stem.conv.weight.shape == (64, 6, 7, 7)
    assert (len(face.trunk.downs), len(face.trunk.blocks)) == (3, 5)
    assert face.head.weight.shape == (3, 64, 7, 7)


@pytest.mark.parametrize("norm", ["instance", "batch", "spectral"])
def test_the_discriminator_judges_every_scale(norm):
    discriminator = MultiscaleDiscriminator(3, frames=2, width=4, layers=2, scales=3, norm=norm)
    label, pictures = torch.rand(2, 6, 64, 64), torch.rand(2, 6, 64, 64)
    judgements = discriminator(label, pictures)
    assert [tuple(judged.score.shape) for judged in judgements] == [(2, 1, s, s) for s in (19, 11, 7)]
    assert [len(judged.features) for judged in judgements] == [3, 3, 3]
    assert [feature.shape[1] for feature in judgements[0].features] == [4, 8, 16]
    # Pictures come last and are brought to [-1, 1]: a grey one is worth nothing.
    seen = []
    discriminator.scales[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    discriminator(label, torch.full_like(pictures, 0.5))
    assert torch.equal(seen[0], torch.cat([label, torch.zeros(2, 6, 64, 64)], dim=1))


def test_channels_are_bounded_and_norms_stand_between_first_and_last():
    with torch.device("meta"):
        (scale,) = MultiscaleDiscriminator(3, scales=1, layers=5, norm="batch").scales
    assert [block.conv.out_channels for block in scale.blocks] == [64, 128, 256, 512, 512, 512]
    assert [block.conv.stride[0] for block in scale.blocks] == [2, 2, 2, 2, 2, 1]
    assert [block.norm is None for block in scale.blocks] == [True] + [False] * 5


def test_spectral_norm_divides_every_weight_by_its_largest_singular_value_and_leaves_features_alone():
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(2, width=4, layers=2, scales=2, norm="spectral").double()
    label, picture = torch.rand(2, 2, 24, 32).double(), torch.rand(2, 3, 24, 32).double()
    with torch.no_grad():
        for _ in range(300):  # each pass in training takes one step towards the singular vectors
            discriminator(label, picture)
        judgements = discriminator.eval()(label, picture)
        x = torch.cat([label, 2 * picture - 1], dim=1)
        for scale, judged in zip(discriminator.scales, judgements, strict=True):
            y = x
            for conv in (*(block.conv for block in scale.blocks), scale.head):
                largest = torch.linalg.svdvals(conv.weight.flatten(1))[0]
                y = F.conv2d(y, conv.weight / largest, conv.bias, conv.stride, padding=2)
                y = y if conv is scale.head else F.leaky_relu(y, 0.2)
            torch.testing.assert_close(judged.score, y, rtol=1e-4, atol=1e-6)
            x = F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)


@pytest.mark.parametrize(
    "build", [lambda: tiny(norm="batch"), lambda: MultiscaleDiscriminator(norm="batch", width=32)]
)
def test_weights_are_drawn_as_published(build):
    torch.manual_seed(0)
    network = build()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    weights = torch.cat([m.weight.flatten() for m in convolutions])
    assert weights.std().item() == pytest.approx(0.02, rel=0.03)
    assert abs(weights.mean().item()) < 1e-3
    scales = torch.cat([m.weight for m in norms])
    assert scales.mean().item() == pytest.approx(1, abs=0.01)
    assert scales.std().item() == pytest.approx(0.02, rel=0.3)
    assert all((m.bias == 0).all() for m in norms)
    torch.manual_seed(0)
    assert all(torch.equal(a, b) for a, b in zip(build().parameters(), network.parameters(), strict=True))


def test_half_precision_gives_pictures_in_float32():
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        made = model(torch.randint(18, (1, 1, 16, 16)))
    assert made.dtype == torch.float32
    double = tiny(edges=True).double()
    assert double(torch.randint(18, (1, 1, 16, 16)), instance=torch.ones(1, 1, 16, 16)).dtype == torch.float64
