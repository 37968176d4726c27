"""Background networks: published files in, the same pictures out; and back, exact to the bit."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import nn

from animate import checkpoints
from animate.checkpoints.convert import inpainting
from animate.checkpoints.description import KEY
from animate.errors import UserError


class Residual(nn.Module):
    """As the facts about the programs tell."""

    def __init__(self, channels, bias):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=bias),
            nn.InstanceNorm2d(channels, affine=not bias),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=bias),
            nn.InstanceNorm2d(channels, affine=not bias),
        )

    def forward(self, x):
        return x + self.main(x)


def sequence(layout, filters=(4, 6, 8), blocks=2):
    """The published network as one sequence, from the facts: its numbers are those of the files."""
    torch.manual_seed(3)
    bias = layout == "ipercore"
    parts: list[nn.Module] = []

    def add(conv):
        parts.extend([conv, nn.InstanceNorm2d(conv.out_channels, affine=not bias), nn.ReLU()])

    add(nn.Conv2d(4, filters[0], 7, 1, 3, bias=bias))
    for a, b in pairwise(filters):
        add(nn.Conv2d(a, b, 3, 2, 1, bias=bias))
    parts.extend(Residual(filters[-1], bias) for _ in range(blocks))
    for a, b in reversed(list(pairwise(filters))):
        up = {"kernel_size": 4} if bias else {"kernel_size": 3, "output_padding": 1}
        add(nn.ConvTranspose2d(b, a, stride=2, padding=1, bias=False, **up))
    network = nn.Sequential(*parts, nn.Conv2d(filters[0], 3, 7, 1, 3, bias=False), nn.Tanh())
    for parameter in network.parameters():
        parameter.data.normal_(0.1, 0.3)
    return network.eval()


def file_of(layout, prefix, **more):
    """A published file: the network under a prefix, with other parts before and behind."""
    state = sequence(layout).state_dict()
    held = OrderedDict((key, value) for key, value in more.items() if not key.startswith("tsf"))
    held.update((f"{prefix}{key}", value) for key, value in state.items())
    held.update((key, value) for key, value in more.items() if key.startswith("tsf"))
    return held


OTHERS = {
    "src_model.encoders.0.0.weight": torch.randn(4, 6, 7, 7),
    "tsf_model.img_reg.0.weight": torch.randn(3, 4, 7, 7).half(),
    "tsf_model.count": torch.tensor(7),
}


@pytest.fixture
def convert(tmp_path):
    def call(content, layout="impersonator", *, new_zip=True, **options):
        torch.save(content, tmp_path / "G.pth", _use_new_zipfile_serialization=new_zip)
        report = inpainting.convert(tmp_path / "G.pth", tmp_path / "bg.ckpt", layout, **options)
        return report, checkpoints.load(tmp_path / "bg.ckpt", method="inpainting")

    return call


@pytest.mark.parametrize(
    ("layout", "prefix", "new_zip"),
    [
        ("impersonator", "bg_model.model.", True),
        ("impersonator", "module.bg_model.model.", False),
        ("impersonator", "bg_model.", True),
        ("impersonator", "model.", True),
        ("impersonator", "", True),
        ("ipercore", "bg_net.main.", True),
        ("ipercore", "module.main.", True),
    ],
)
def test_published_weights_give_the_same_picture(convert, layout, prefix, new_zip):
    whole = "bg_" in prefix
    report, model = convert(file_of(layout, prefix, **(OTHERS if whole else {})), layout, new_zip=new_zip)
    assert model.arguments == {"layout": layout, "filters": [4, 6, 8], "blocks": 2, "image_size": 256}
    x = torch.randn(2, 4, 24, 32)
    with torch.no_grad():
        torch.testing.assert_close(2 * model.background(x) - 1, sequence(layout)(x), rtol=0, atol=1e-6)
    assert ("left out: 3 tensors of src_model, tsf_model" in report) == whole


def test_published_numbers_of_the_published_network():
    """As the facts about the files list them."""
    theirs = dict(inpainting.layers(3, 6))
    convs = {number for name, number in theirs.items() if name.endswith("conv") or name == "head"}
    assert convs == {"0", "3", "6", "9", "18", "21", "24", "27"}
    assert {n for n in theirs.values() if "main" in n} == {
        f"{k}.main.{i}" for k in range(12, 18) for i in (0, 1, 3, 4)
    }
    assert theirs["ups.2.norm"] == "25"


@pytest.mark.parametrize(
    ("layout", "prefix"), [("impersonator", "bg_model.model."), ("ipercore", "module.bg_net.main.")]
)
def test_the_way_back_is_exact_and_touches_nothing_else(convert, tmp_path, layout, prefix):
    before = file_of(layout, prefix, **OTHERS)
    convert(before, layout)
    path, source = tmp_path / "again.pth", tmp_path / "bg.ckpt"
    report = inpainting.export(source, path, layout, into=tmp_path / "G.pth")
    after = torch.load(path, weights_only=True)
    assert list(after) == list(before)
    for key, value in before.items():
        assert after[key].dtype == value.dtype
        assert torch.equal(after[key], value), key
    assert "3 others" in report


def test_only_the_background_network_changes(convert, tmp_path):
    before = file_of("impersonator", "bg_model.model.", **OTHERS)
    convert(before)
    tuned = torch.load(tmp_path / "bg.ckpt", weights_only=True)
    for value in tuned["state_dict"].values():
        value.add_(0.5)
    torch.save(tuned, tmp_path / "tuned.ckpt")
    path = tmp_path / "tuned.pth"
    inpainting.export(tmp_path / "tuned.ckpt", path, "impersonator", into=tmp_path / "G.pth")
    after = torch.load(path, weights_only=True)
    for key, value in before.items():
        moved = value + 0.5 if key.startswith("bg_model.") else value
        assert torch.equal(after[key], moved), key


def test_without_a_file_only_the_background_network_is_written(convert, tmp_path):
    before = file_of("ipercore", "main.")
    convert(before, "ipercore")
    inpainting.export(tmp_path / "bg.ckpt", tmp_path / "bare.pth", "ipercore")
    after = torch.load(tmp_path / "bare.pth", weights_only=True)
    assert {f"bg_net.{key}" for key in before} == set(after)
    assert torch.equal(after["bg_net.main.0.bias"], before["main.0.bias"])


def test_export_refuses_what_does_not_fit(convert, tmp_path):
    convert(file_of("impersonator", "model."))
    source, output = tmp_path / "bg.ckpt", tmp_path / "out.pth"
    with pytest.raises(UserError, match="of impersonator, not a background network of ipercore"):
        inpainting.export(source, output, "ipercore")
    torch.save(sequence("impersonator", blocks=1).state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match="not of the shape"):
        inpainting.export(source, output, "impersonator", into=tmp_path / "other.pth")
    assert not output.exists()
    output.write_bytes(b"before")
    with pytest.raises(UserError, match="--overwrite"):
        inpainting.export(source, output, "impersonator")
    assert output.read_bytes() == b"before"


def test_all_that_does_not_fit_is_listed_in_published_names(convert, tmp_path):
    state = file_of("impersonator", "bg_model.model.", **OTHERS)
    del state["bg_model.model.4.bias"]
    state["bg_model.model.90.weight"] = torch.zeros(1)
    state["bg_model.model.17.weight"] = torch.zeros(3, 5, 7, 7)
    with pytest.raises(UserError) as caught:
        convert(state)
    message = str(caught.value)
    assert "missing: 4.bias" in message
    assert "unexpected: 90.weight" in message
    assert "misshaped: 17.weight is 3x5x7x7 instead of 3x4x7x7" in message
    assert "\n" not in message
    assert not (tmp_path / "bg.ckpt").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "holds no background network"),
        ({"stage1.weight": torch.zeros(8, 3, 7, 7)}, "holds no background network"),
        ({"model.0.weight": 1}, "holds no background network"),
        ({"coarse_net.0.conv2d.weight": torch.zeros(1)}, "DeepFill-v2"),
        ({KEY: {}}, "nothing to convert"),
        (sequence("ipercore").state_dict(), "animate convert ipercore"),
    ],
)
def test_other_files_are_refused(convert, content, told):
    with pytest.raises(UserError, match=told):
        convert(content)


def test_a_pickled_network_is_refused_and_the_flag_is_named(convert, tmp_path):
    with pytest.raises(UserError, match="--allow-pickle"):
        convert({"bg_model": sequence("impersonator")})
    assert not (tmp_path / "bg.ckpt").exists()


def test_loading_a_published_file_tells_how_to_convert_it(tmp_path):
    torch.save(file_of("ipercore", "bg_net.main."), tmp_path / "G.pth")
    with pytest.raises(UserError, match="animate convert ipercore --checkpoint"):
        checkpoints.load(tmp_path / "G.pth")


def test_a_checkpoint_with_odd_filters_is_refused(convert, tmp_path):
    convert(file_of("impersonator", ""))
    held = torch.load(tmp_path / "bg.ckpt", weights_only=True)
    held[KEY]["networks"]["filters"] = [4, "6"]
    torch.save(held, tmp_path / "odd.ckpt")
    with pytest.raises(UserError, match="filters must be a list of 1 to 8 whole numbers"):
        checkpoints.load(tmp_path / "odd.ckpt")
