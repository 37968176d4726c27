"""The converter of pix2pixHD against golden vectors: published weights in, published outputs out."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from animate import checkpoints
from animate.checkpoints.convert import pix2pixhd
from animate.checkpoints.convert.pix2pixhd import Files
from animate.checkpoints.convert.pix2pixhd_layout import (
    discriminator_arguments,
    discriminator_layers,
    translator_arguments,
    translator_layers,
)
from animate.networks.pix2pixhd import Generator, MultiscaleDiscriminator, Pix2PixHD

GOLDEN = Path(__file__).parents[1] / "golden"
GOLDEN_TENSORS = load_file(GOLDEN / "pix2pixhd.safetensors")
NOISE = json.loads((GOLDEN / "pix2pixhd.json").read_text())["global_instance"]["f64_noise"]["y"]


def golden(case: str) -> dict[str, torch.Tensor]:
    prefix = f"{case}.state."
    found = {k.removeprefix(prefix): v.clone() for k, v in GOLDEN_TENSORS.items() if k.startswith(prefix)}
    return OrderedDict(found)


def published_generator(**options) -> tuple[Generator, dict[str, torch.Tensor]]:
    """A generator of ours with random weights and statistics, and its state in the published layout."""
    generator = Generator(**({"width": 8, "depth": 2, "blocks": 2, "enhancer_blocks": 2} | options)).eval()
    for name, buffer in generator.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    return generator, in_published_layout(generator, **options)


def in_published_layout(generator, depth=2, blocks=2, enhancers=0, enhancer_blocks=2, **_):
    layers = translator_layers(depth, blocks, enhancers, enhancer_blocks)
    state = generator.state_dict()
    return {theirs: state[ours] for ours, theirs in pix2pixhd.names(layers, state).items()}


def discriminator_state(featured: bool, **options) -> dict[str, torch.Tensor]:
    discriminator = MultiscaleDiscriminator(**options)
    state = discriminator.state_dict()
    layers = discriminator_layers(options.get("layers", 3), options.get("scales", 2), featured)
    return {theirs: state[ours] for ours, theirs in pix2pixhd.names(layers, state).items()}


@pytest.fixture
def convert(tmp_path):
    """Save states as the reference does, convert them, return the report and the loaded networks."""

    def call(*, new_zip=False, **given):
        names = ("generator", "discriminator", "encoder", "face")
        paths = {name: tmp_path / f"latest_net_{name}.pth" for name in names if name in given}
        for name, path in paths.items():
            torch.save(given.pop(name), path, _use_new_zipfile_serialization=new_zip)
        output = tmp_path / "me.ckpt"
        report = pix2pixhd.convert(Files(**paths), output, **given)
        return report, checkpoints.load(output)

    return call


def raw(picture: torch.Tensor) -> torch.Tensor:
    """Back to the networks' own range."""
    return 2 * picture - 1


@pytest.mark.parametrize("new_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_generator_gives_its_published_pictures(convert, new_zip, prefix):
    state = {f"{prefix}{key}": value for key, value in golden("global_instance").items()}
    report, model = convert(generator=state, new_zip=new_zip)
    assert "global generator, 3 label channels, 20 tensors" in report
    with torch.no_grad():
        made = model.generator(GOLDEN_TENSORS["global_instance.in.x"])
    bound = max(2e-5, 5 * NOISE)
    torch.testing.assert_close(raw(made), GOLDEN_TENSORS["global_instance.out.y"], rtol=0, atol=bound)
    expected = {"labels": 3, "indexed": False, "width": 8, "depth": 2, "blocks": 2, "enhancers": 0}
    assert expected.items() <= model.arguments.items()


def test_a_published_encoder_gives_its_published_features(convert):
    _, state = published_generator(in_channels=35 + 1 + 3)
    report, model = convert(generator=state, encoder=golden("encoder"), edges=True)
    assert "35 label channels, encoder" in report
    with torch.no_grad():
        picture = (GOLDEN_TENSORS["encoder.in.x"] + 1) / 2
        features = model.encoder(picture, GOLDEN_TENSORS["encoder.in.inst"])
    torch.testing.assert_close(features, GOLDEN_TENSORS["encoder.out.y"], rtol=0, atol=2e-5)
    expected = {"labels": 35, "edges": True, "features": 3, "encoder_width": 8, "encoder_depth": 2}
    assert expected.items() <= model.arguments.items()
    assert model.clusters.counts.tolist() == [0] * 35


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize(
    "shape",
    [
        {"in_channels": 18},
        {"in_channels": 3, "depth": 1, "blocks": 0},
        {"in_channels": 5, "width": 12, "depth": 3, "blocks": 1},
        {"in_channels": 36, "enhancers": 1},
        {"in_channels": 6, "width": 16, "enhancers": 2, "enhancer_blocks": 1, "blocks": 11},
    ],
)
def test_the_architecture_follows_from_keys_and_shapes(convert, shape, norm):
    generator, state = published_generator(**shape, norm=norm)
    report, model = convert(generator=state)
    options = {"enhancers": 0, "width": 8, "depth": 2, "blocks": 2, "norm": norm, **shape}
    labels = options.pop("in_channels")
    assert (options | {"labels": labels, "indexed": labels != 3}).items() <= model.arguments.items()
    assert ("local enhancer" in report) == bool(options["enhancers"])
    x = torch.rand(1, labels, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.generator(x), generator(x))


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("featured", [True, False])
@pytest.mark.parametrize("sizes", [{"scales": 1, "layers": 3}, {"scales": 3, "layers": 2}, {"layers": 1}])
def test_discriminators_of_both_layouts(convert, tmp_path, norm, featured, sizes):
    options = {"condition_channels": 18, "width": 4, "norm": norm, **sizes}
    given = discriminator_state(featured, **options)
    assert discriminator_arguments(given, "D.pth") == {"scales": 2, **options}
    report, _ = convert(generator=golden("global_instance"), discriminator=given)
    assert "discriminator" in report
    written = torch.load(tmp_path / "me.ckpt", weights_only=True)
    assert written["animate"]["discriminator"] == {"frames": 1, "scales": 2, **options}
    ours = {k: v for k, v in written["state_dict"].items() if k.startswith("discriminator.")}
    assert len(ours) == len(given)
    # There the coarsest scale comes first.
    finest = (
        f"scale{sizes.get('scales', 2) - 1}_layer0.0" if featured else f"layer{sizes.get('scales', 2) - 1}.0"
    )
    assert torch.equal(ours["discriminator.scales.0.blocks.0.conv.weight"], given[f"{finest}.weight"])


def test_published_names_of_the_full_size_networks():
    """Every name of checkpoints that were looked at: convolutions, blocks, the local generator's parts."""
    with torch.device("meta"):
        glob, local = Generator(18), Generator(36, enhancers=1)
        batch, two = Generator(18, norm="batch"), Generator(18, enhancers=2)
    names = in_published_layout(glob, 4, 9)
    convolutions = [1, 4, 7, 10, 13, 25, 28, 31, 34, 38]
    expected = {f"model.{k}" for k in convolutions}
    expected |= {f"model.{k}.conv_block.{i}" for k in range(16, 25) for i in (1, 5)}
    assert {name.rsplit(".", 1)[0] for name in names} == expected
    assert len(names) == 56
    expected -= {"model.38"}
    expected |= {"model1_1.1", "model1_1.4", "model1_2.3", "model1_2.7"}
    expected |= {f"model1_2.{k}.conv_block.{i}" for k in range(3) for i in (1, 5)}
    assert {name.rsplit(".", 1)[0] for name in in_published_layout(local, 4, 9, 1, 3)} == expected
    assert {"model.2.running_mean", "model.16.conv_block.6.weight", "model.35.bias"} <= set(
        in_published_layout(batch, 4, 9)
    )
    # Of two enhancers only the second ends in a picture.
    names = in_published_layout(two, 4, 9, 2, 3)
    assert names["model2_2.7.weight"].shape == (3, 16, 7, 7)
    assert "model1_2.7.weight" not in names
    assert names["model1_1.1.weight"].shape[0] == 32


def test_statistics_of_old_instance_norm_are_dropped(convert):
    state = golden("global_instance")
    for layer in ("model.2", "model.5", "model.10.conv_block.2"):
        state[f"{layer}.running_mean"] = torch.rand(8)
        state[f"{layer}.running_var"] = torch.rand(8)
    _, model = convert(generator=state)
    assert model.arguments["norm"] == "instance"
    assert not any("running" in name for name in model.state_dict())


def test_batch_counters_may_be_missing(convert):
    _, state = published_generator(in_channels=18, norm="batch")
    _, model = convert(generator={k: v for k, v in state.items() if not k.endswith("num_batches_tracked")})
    assert model.generator.trunk.stem.norm.num_batches_tracked == 0


def test_half_precision_and_views_become_tensors_of_their_own(convert, tmp_path):
    big = torch.zeros(2_000_000)
    state = {
        key: big[: value.numel()].view_as(value).half() for key, value in golden("global_instance").items()
    }
    convert(generator=state, new_zip=True)
    assert (tmp_path / "me.ckpt").stat().st_size < 400_000
    written = torch.load(tmp_path / "me.ckpt", weights_only=True)["state_dict"]
    assert {value.dtype for value in written.values()} == {torch.float32}


@pytest.mark.parametrize("prefix", ["model.", "facemodel."])
def test_everybody_dance_now(convert, prefix):
    _, state = published_generator(in_channels=6)
    face, face_state = published_generator(in_channels=6, width=4, depth=3, blocks=5)
    face_state = {key.replace("model.", prefix, 1): value for key, value in face_state.items()}
    report, model = convert(generator=state, face=face_state, previous=True)
    assert "3 label channels, face generator" in report
    expected = {"labels": 3, "indexed": False, "previous": True, "face_width": 4, "face_depth": 3}
    assert (expected | {"face_blocks": 5}).items() <= model.arguments.items()
    label, crop = torch.rand(2, 1, 3, 16, 16)
    with torch.no_grad():
        residual = raw(face(torch.cat([label, 2 * crop - 1], dim=1)))
        torch.testing.assert_close(model.face(label, crop), crop + residual / 2)


def test_labels_may_be_skeletons(convert, refusal):
    _, state = published_generator(in_channels=18)
    _, model = convert(generator=state, skeleton="coco18")
    points, found = torch.rand(1, 18, 2) - 0.5, torch.ones(1, 18, dtype=torch.bool)
    with torch.no_grad():
        assert model(model.draw(points, found, (16, 16))).shape == (1, 3, 16, 16)
    told = refusal(convert, generator=state, skeleton="octopus", overwrite=True)
    assert "skeleton must be one of" in told
    assert "labels=18" in refusal(convert, generator=state, skeleton="coco17", overwrite=True)


def test_all_keys_that_do_not_fit_are_listed_in_published_names(tmp_path, refusal):
    state = golden("global_instance")
    del state["model.11.conv_block.5.bias"], state["model.4.bias"]
    state["model.15.bias"] = torch.zeros(9)
    state["model.99.scale"] = torch.zeros(1)
    state["model.7.bias"] = "x"
    path, output = tmp_path / "latest_net_G.pth", tmp_path / "me.ckpt"
    torch.save(state, path)
    message = refusal(pix2pixhd.convert, Files(path), output)
    for part in (
        str(path),
        "missing: model.{4.bias,11.conv_block.5.bias}",
        "unexpected: model.99.scale",
        "7.bias is a str instead of 32",
        "15.bias is 9 instead of 8",
    ):
        assert part in message
    assert not output.exists()


def test_files_that_are_something_else(tmp_path, refusal):
    path, other, output = tmp_path / "G.pth", tmp_path / "other.pth", tmp_path / "me.ckpt"
    torch.save(golden("global_instance"), path)
    cases = [
        (
            {"main.0.weight": torch.zeros(1)},
            "is not a generator of pix2pixHD: it has no convolution model.1.weight",
        ),
        ({}, "it holds nothing"),
        ({"model.1.weight": torch.zeros(3)}, "has no convolution model.1.weight"),
        ({"model.1.weight": 3}, "has no convolution model.1.weight"),
        ({"model.1.weight": torch.zeros(8, 3, 7, 7)}, "missing: "),
        ([1], "holds a list"),
        (published_generator(in_channels=3, out_channels=1)[1], "pictures of 1 channels"),
    ]
    for content, told in cases:
        torch.save(content, other)
        assert told in refusal(pix2pixhd.convert, Files(other), output)
    for content in (golden("global_instance"), {"layer0.0.weight": torch.zeros(4, 3, 4, 4)}):
        torch.save(content, other)
        message = refusal(pix2pixhd.convert, Files(path, other), output)
        assert "other.pth" in message
    assert "too few for labels" in refusal(pix2pixhd.convert, Files(path), output, previous=True)
    torch.save(published_generator(in_channels=6, norm="batch")[1], other)
    assert "has batch norm, the generator instance norm" in refusal(
        pix2pixhd.convert, Files(path, face=other), output
    )
    assert not output.exists()
    pix2pixhd.convert(Files(path), output)
    assert "is a checkpoint of animate already" in refusal(
        pix2pixhd.convert, Files(output), tmp_path / "again.ckpt"
    )
    assert "--overwrite" in refusal(pix2pixhd.convert, Files(path), output)
    assert str(output) in pix2pixhd.convert(Files(path), output, overwrite=True)


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_can_run_code_needs_the_flag(tmp_path, refusal):
    marker, path, output = tmp_path / "ran", tmp_path / "G.pth", tmp_path / "me.ckpt"
    torch.save(golden("global_instance") | {"model.2.running_mean": RunsCode(str(marker))}, path)
    assert "--allow-pickle" in refusal(pix2pixhd.convert, Files(path), output)
    assert not marker.exists()
    pix2pixhd.convert(Files(path), output, allow_pickle=True)
    assert marker.exists()
    assert checkpoints.load(output).arguments["width"] == 8


def test_a_method_that_is_not_wanted_is_refused(tmp_path, refusal):
    path, output = tmp_path / "G.pth", tmp_path / "me.ckpt"
    torch.save(golden("global_instance"), path)
    pix2pixhd.convert(Files(path), output)
    assert isinstance(checkpoints.load(output, method="pix2pixhd"), Pix2PixHD)
    assert "holds networks of the method pix2pixhd" in refusal(checkpoints.load, output, method="fomm")


def test_arguments_are_read_without_their_meaning():
    """What the shapes say of a network, independent of the converter's questions."""
    state = golden("encoder")
    found = translator_arguments(state, "E.pth")
    assert found == {
        "in_channels": 3,
        "out_channels": 3,
        "width": 8,
        "depth": 2,
        "blocks": 0,
        "enhancers": 0,
        "enhancer_blocks": 0,
        "norm": "instance",
    }
