"""The pretrained networks that perceptual metrics look through, made from the table of pretrained files.

Each wrapper is a plain callable: it takes pictures in [0, 1], converts them as its network wants them, and
computes without gradients on the device that the pictures are on.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from animate.checkpoints import files, weights
from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

LpipsNet = Literal["alex", "vgg"]

BACKBONES: dict[LpipsNet, str] = {"alex": "alexnet", "vgg": "vgg16"}
"""The row of the weights table that each LPIPS stands on."""
SMALLEST_SIDE: dict[LpipsNet, int] = {"alex": 31, "vgg": 16}
"""Of a picture in pixels: below, pooling leaves nothing of it."""


class LpipsDistance:
    """LPIPS of the ``lpips`` package, version 0.1, with its linear heads.

    Args:
        net: which backbone.
        model: an ``lpips.LPIPS`` of that backbone.

    """

    def __init__(self, net: LpipsNet, model: nn.Module) -> None:
        self.net = net
        self.model = model.eval().requires_grad_(False)

    @property
    def backend(self) -> str:
        """Package and backbone."""
        return f"lpips {version('lpips')} v0.1 {self.net}"

    @torch.no_grad()
    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two (N, 3, H, W) in [0, 1].

        Returns:
            (N,) float32, 0 for equal pictures.

        Raises:
            UserError: the pictures are too small for the backbone.

        """
        height, width = prediction.shape[-2:]
        smallest = SMALLEST_SIDE[self.net]
        if min(height, width) < smallest:
            raise UserError(
                f"LPIPS ({self.net}) needs pictures of at least {smallest} px a side, not {width}x{height}; "
                f"leave lpips_{self.net} out of the metrics"
            )
        model = self.model.to(prediction.device)
        distance: Tensor = model(prediction.float(), target.float(), normalize=True)
        return distance.flatten()


def lpips_distance(net: LpipsNet) -> LpipsDistance:
    """Build LPIPS with its published backbone.

    Raises:
        UserError: the backbone's weights cannot be had, or their file is another network's.

    """
    path = weights.fetch(BACKBONES[net])
    model = _without_backbone(net)
    _load_backbone(model.get_submodule("net"), path)
    return LpipsDistance(net, model)


def _without_backbone(net: LpipsNet) -> nn.Module:
    """Make ``lpips.LPIPS`` with the heads that its package ships; the package would download the rest."""
    import lpips

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The parameter 'pretrained'|Arguments other than a weight")
        model: nn.Module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)  # type: ignore[no-untyped-call]
    return model


def _load_backbone(backbone: nn.Module, path: Path) -> None:
    """Load torchvision's ``features.N`` into the slices of the lpips package, which keep the numbers N."""
    state = files.read(path)
    try:
        backbone.load_state_dict(
            {key: state[f"features.{key.partition('.')[2]}"] for key in backbone.state_dict()}
        )
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{path} holds another network's weights; replace or delete it") from error


class InceptionFeatures:
    """The 2048 features (last pooling layer) of the Inception network that FID and KID are defined with.

    Pictures are rounded to 8 bits and scaled to 299x299 as TensorFlow 1 did, both inside of torch-fidelity's
    definition.

    Args:
        extractor: torch-fidelity's ``FeatureExtractorInceptionV3`` for the feature ``2048``.

    """

    size = 2048

    def __init__(self, extractor: nn.Module) -> None:
        self.extractor = extractor

    @property
    def backend(self) -> str:
        """Package and weights."""
        return f"torch-fidelity {version('torch-fidelity')} inception-v3 2015-12-05"

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Describe (N, 3, H, W) in [0, 1] by (N, 2048) float32."""
        eight_bits = pictures.float().clamp(0, 1).mul(255).round().byte()
        features: Tensor = self.extractor.to(pictures.device)(eight_bits)[0]
        return features


def inception_features() -> InceptionFeatures:
    """Build the network of FID and KID with its published weights.

    Raises:
        UserError: torch-fidelity is not installed, the weights cannot be had, or their file is another
            network's.

    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UserError("FID and KID need torch-fidelity: pip install 'animate[fidelity]'") from error
    path = weights.fetch("fid_inception")
    files.read(path)  # tensors only: torch-fidelity's own reader would run code that stands in the file
    try:
        with torch.random.fork_rng(devices=[]):
            extractor: nn.Module = FeatureExtractorInceptionV3(  # type: ignore[no-untyped-call]
                "inception", ["2048"], feature_extractor_weights_path=str(path)
            )
    except RuntimeError as error:
        raise UserError(f"{path} holds another network's weights; replace or delete it") from error
    return InceptionFeatures(extractor)
