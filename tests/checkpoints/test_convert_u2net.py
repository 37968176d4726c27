"""The converter of U²-Net: published layouts in, the same maps out; all else is refused in one line."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from animate import checkpoints
from animate.checkpoints.convert import u2net
from animate.checkpoints.convert.published import names
from animate.cli import main
from animate.errors import UserError
from animate.networks.u2net import U2Net


def published(layout="u2netp", width=8):
    """A network of ours with random weights and statistics, and its state in the published layout."""
    torch.manual_seed(1)
    network = U2Net(layout, width).eval()
    for name, buffer in network.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    state = network.state_dict()
    theirs = names(u2net.layers(), state)
    return network, OrderedDict((theirs[key], value) for key, value in state.items())


@pytest.fixture
def convert(tmp_path):
    def call(content, *, new_zip=True, **options):
        torch.save(content, tmp_path / "u2netp.pth", _use_new_zipfile_serialization=new_zip)
        report = u2net.convert(tmp_path / "u2netp.pth", tmp_path / "u2netp.ckpt", **options)
        return report, checkpoints.load(tmp_path / "u2netp.ckpt", method="u2net")

    return call


@pytest.mark.parametrize(("layout", "new_zip", "prefix"), [("u2net", True, ""), ("u2netp", False, "module.")])
def test_published_weights_give_the_same_maps(convert, layout, new_zip, prefix):
    network, state = published(layout)
    report, model = convert({f"{prefix}{key}": value for key, value in state.items()}, new_zip=new_zip)
    assert f"{layout} of width 8 for 320 px, 798 tensors" in report
    assert model.arguments == {"layout": layout, "width": 8, "image_size": 320}
    x = torch.randn(1, 3, 40, 32)
    with torch.no_grad():
        for ours, theirs in zip(model.matting(x), network(x), strict=True):
            assert torch.equal(ours, theirs)


def test_published_names_are_those_of_the_files():
    """As the facts about the files list them."""
    _, state = published()
    assert len(state) == 798
    for key in (
        "stage1.rebnconvin.conv_s1.weight", "stage1.rebnconv7.bn_s1.running_var",
        "stage1d.rebnconv6d.bn_s1.num_batches_tracked", "stage2.rebnconv6.conv_s1.bias",
        "stage4.rebnconv4.bn_s1.weight", "stage5.rebnconv3d.conv_s1.weight", "stage6.rebnconv4.bn_s1.bias",
        "stage5d.rebnconv1d.conv_s1.weight", "side6.bias", "outconv.weight",
    ):  # fmt: skip
        assert key in state
    assert "stage2.rebnconv7.conv_s1.weight" not in state
    assert "stage5.rebnconv4d.conv_s1.weight" not in state


def test_a_fork_that_wraps_a_state_without_counts_loads(convert):
    network, state = published()
    without = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(without) < len(state)
    _, model = convert({"netG_state_dict": without, "epoch": 3}, image_size=64, overwrite=True)
    assert model.arguments["image_size"] == 64
    assert torch.equal(model.matting.fuse.weight, network.fuse.weight)
    assert not model.matting.encoder[0].entry.norm.num_batches_tracked


def test_a_pickled_network_needs_the_flag(convert, tmp_path):
    network, state = published()
    holder = torch.nn.Module()
    for key, value in state.items():
        place = holder
        *path, leaf = key.split(".")
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.register_buffer(leaf, value)
    with pytest.raises(UserError, match="--allow-pickle"):
        convert({"netG_state_dict": holder})
    assert not (tmp_path / "u2netp.ckpt").exists()
    _, model = convert({"netG_state_dict": holder}, allow_pickle=True)
    assert torch.equal(model.matting.fuse.weight, network.fuse.weight)


def test_all_that_does_not_fit_is_listed_in_published_names(convert, tmp_path):
    _, state = published()
    del state["side3.bias"], state["stage4d.rebnconv2.conv_s1.weight"]
    state["stage9.more"] = torch.zeros(1)
    state["outconv.weight"] = torch.zeros(1, 5, 1, 1)
    with pytest.raises(UserError) as caught:
        convert(state)
    message = str(caught.value)
    assert "missing: stage4d.rebnconv2.conv_s1.weight, side3.bias" in message
    assert "unexpected: stage9.more" in message
    assert "misshaped: outconv.weight is 1x5x1x1 instead of 1x6x1x1" in message
    assert "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["u2netp.pth"]


@pytest.mark.parametrize(
    "content", [{}, {"model.1.weight": torch.zeros(8, 3, 7, 7)}, {"stage1.rebnconvin.conv_s1.weight": 1}]
)
def test_other_files_are_refused(convert, content):
    with pytest.raises(UserError, match="is not a U²-Net"):
        convert(content)


def test_a_width_that_cannot_be_is_refused(convert):
    state = {key: torch.zeros(6, 3, 3, 3) for key in (u2net.ENTRY, u2net.SECOND)}
    with pytest.raises(UserError, match="no multiple of 4"):
        convert(state)


def test_an_existing_output_and_our_own_file_are_refused(tmp_path):
    output = tmp_path / "there.ckpt"
    output.write_bytes(b"before")
    with pytest.raises(UserError, match="--overwrite"):
        u2net.convert(tmp_path / "any.pth", output)
    assert output.read_bytes() == b"before"
    torch.save({"animate": {}}, tmp_path / "ours.ckpt")
    with pytest.raises(UserError, match="nothing to convert"):
        u2net.convert(tmp_path / "ours.ckpt", output, overwrite=True)


def test_loading_a_published_file_tells_how_to_convert_it(tmp_path):
    torch.save(published()[1], tmp_path / "u2netp.pth")
    with pytest.raises(UserError, match="animate convert u2net --checkpoint"):
        checkpoints.load(Path(tmp_path / "u2netp.pth"))


def test_as_it_is_typed(tmp_path, capsys):
    network, state = published()
    torch.save(state, tmp_path / "u2netp ü.pth")
    output = tmp_path / "u2netp.ckpt"
    command = ["convert", "u2net", "--checkpoint", str(tmp_path / "u2netp ü.pth"), "--output", str(output)]
    assert main([*command, "--image-size", "64"]) == 0
    assert "u2netp of width 8 for 64 px" in capsys.readouterr().out
    assert torch.equal(checkpoints.load(output).matting.fuse.weight, network.fuse.weight)
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "--overwrite" in said
    assert said.count("\n") == 1
