"""U²-Net as a back-end: where its weights come from, and what it says of frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from animate import checkpoints
from animate.annotate import backends
from animate.data.synthetic import PuppetIndex
from animate.errors import UserError
from animate.networks.u2net import U2NetMatting, mattes_of


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return U2NetMatting(width=4, image_size=32).eval()


@pytest.fixture
def checkpoint(networks, tmp_path):
    return write(networks, tmp_path / "mine.ckpt")


def write(networks, path):
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("u2net", networks.arguments))
    return path


def test_a_checkpoint_of_ones_own_is_a_backend(networks, checkpoint):
    frames = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), np.uint8)
    matter = backends.mattes(str(checkpoint), device="cpu")
    assert matter.name == "mine"
    assert matter.version.startswith("u2netp 32 ")
    found = matter(frames)
    assert found.shape == (5, 20, 30)
    assert found.dtype == np.float32
    expected = mattes_of(networks, torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)[:, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert matter(frames[:0]).shape == (0, 20, 30)


def test_published_weights_lie_converted_in_the_folder(networks, weights_folder):
    write(networks, weights_folder / "u2netp.ckpt")
    assert backends.mattes("u2netp").name == "u2netp"


@pytest.mark.parametrize("name", ["u2net", "u2netp", "u2net_human_seg"])
def test_without_weights_one_line_tells_how_to_get_them(name, weights_folder):
    with pytest.raises(UserError) as caught:
        backends.mattes(name)
    message = str(caught.value)
    assert f"animate convert u2net --checkpoint {name}.pth --output " in message
    assert f"{name}.ckpt" in message
    assert "\n" not in message


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no checkpoint"):
        backends.mattes(str(tmp_path / "none.ckpt"))
    with pytest.raises(UserError, match=r"no back-end 'u2nett'; known are: .*u2netp"):
        backends.mattes("u2nett")


@pytest.mark.parametrize("size", [96, 128, 256])
@pytest.mark.parametrize("kind", ["person", "face", "animal"])
def test_the_backend_of_puppets_cuts_held_out_puppets_out(kind, size):
    """Identities and scenes of the test split, which no training sees, up to more than twice its size."""
    index = PuppetIndex(train_clips=1, val_clips=1, test_clips=4, frames=8, size=size, kinds=[kind])
    matter = backends.mattes("puppet", device="cpu")
    both = either = 0
    for clip in index.clips("test"):
        reader = clip.reader.open(clip)
        found = matter(reader.frames([3])) > 0.5
        truth = reader.truth([3])["person_mask"] > 0.5
        both, either = both + (found & truth).sum(), either + (found | truth).sum()
    assert both / either > 0.93
