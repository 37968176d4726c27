"""What an evaluation has to know of the method that made a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from typing_extensions import override

from animate.errors import UserError
from animate.metrics.evaluation import MODEL, ROWS
from animate.modules.conditional_gan import LossWeights as PoseWeights
from animate.modules.fomm import FOMM
from animate.modules.fomm import LossWeights as MotionWeights
from animate.modules.inpainting import Inpainting, InpaintingWeights
from animate.modules.pose2vid import Pose2Vid
from animate.networks.fomm import FirstOrderModel
from animate.networks.inpainting import BackgroundInpainter
from animate.networks.pix2pixhd import Pix2PixHD
from animate.training.baselines import MEAN_PICTURE, NEAREST_POSE, MeanPicture, NearestPose
from animate.training.fills import FILLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytorch_lightning import LightningModule
    from torch import Tensor, nn

    from animate.training.baselines import Baseline

Size: TypeAlias = "int | tuple[int, int]"
"""The side of square frames, or (height, width)."""
_NO_MOTION_LOSS = MotionWeights(0, 0, 0, 0, 0, 0, 0)
_NO_POSE_LOSS = PoseWeights(0, 0, 0, 0, 0)
_NO_INPAINTING_LOSS = InpaintingWeights(0, 0, 0, 0, 0, 0, 0)


class Method(Protocol):
    """How the networks of a checkpoint are scored."""

    @property
    def task(self) -> str:
        """What they do with a clip, in words."""

    @property
    def truth(self) -> Sequence[str]:
        """What they need to know of its frames, by the names of ``types.Batch``."""

    @property
    def layout(self) -> str:
        """Of the points that they need; empty where they need none."""

    @property
    def rows(self) -> Sequence[str]:
        """The rows of a report that need no training frames; see ``metrics.Scorer``."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the networks were built from."""

    @property
    def keypoints(self) -> Callable[[Tensor], Tensor] | None:
        """Their own detector: pictures (M, 3, H, W) to points (M, K, 2) in [-1, 1]."""

    def module(self) -> LightningModule:
        """Make what reconstructs, without losses."""

    def baselines(self) -> Mapping[str, Baseline]:
        """Make what it has to beat by the name of its row, to be fitted to training frames."""

    def size(self, asked: Size | None) -> Size | None:
        """Return the size of the frames; None where the clips' own will do.

        Raises:
            UserError: the networks cannot take frames of the size that is asked for.

        """


class _MotionModel:
    """The First Order Motion Model: a clip from its first frame."""

    task = "every frame rebuilt from the first of its clip, the first one too"
    truth = ()
    layout = ""
    rows = ROWS

    def __init__(self, networks: FirstOrderModel) -> None:
        self._networks, self.arguments = networks, networks.arguments

    def keypoints(self, pictures: Tensor) -> Tensor:
        points: Tensor = self._networks.keypoint_detector(pictures)["value"]
        return points

    def module(self) -> FOMM:
        return FOMM(self._networks, loss_weights=_NO_MOTION_LOSS)

    def baselines(self) -> Mapping[str, Baseline]:
        return {}

    def size(self, asked: Size | None) -> int:
        arguments: dict[str, Any] = dict(self._networks.arguments)
        own: int = arguments["image_size"]
        if asked is None:
            return own
        factor = own // arguments["motion_size"]
        if isinstance(asked, tuple):
            raise UserError(f"image_size={list(asked)}: this model makes square pictures; give one number")
        if asked % factor:
            raise UserError(f"image_size={asked} must be a multiple of {factor}, as the model is built")
        with torch.device("meta"):  # a model without memory tells whether it can be halved so often
            FirstOrderModel(**arguments | {"image_size": asked, "motion_size": asked // factor})
        return asked


class _PoseModel:
    """pose2vid: a clip from its poses."""

    task: str = "every frame made from its pose"
    truth: Sequence[str] = Pose2Vid.TRUTH
    rows: Sequence[str] = ROWS
    keypoints = None

    def __init__(self, networks: Pix2PixHD) -> None:
        self._networks, self.arguments = networks, networks.arguments
        self.layout = networks.layout.name if networks.layout else ""

    def module(self) -> Pose2Vid:
        return Pose2Vid(self._networks, loss_weights=_NO_POSE_LOSS)

    def baselines(self) -> Mapping[str, Baseline]:
        return {NEAREST_POSE: NearestPose(self.layout), MEAN_PICTURE: MeanPicture()}

    def size(self, asked: Size | None) -> Size | None:
        return asked


class _LabelModel(_PoseModel):
    """pix2pixHD: single pictures from their maps of classes. There is no other frame that could be copied."""

    task = "every picture made from its map of classes"
    rows = (MODEL,)

    def __init__(self, networks: Pix2PixHD) -> None:
        super().__init__(networks)
        instances = networks.arguments["edges"] or networks.arguments["features"]
        self.truth = ("label", "instance") if instances else ("label",)
        if networks.encoder is not None:
            self.task += ", with the features of its instances in the true one"

    @override
    def baselines(self) -> Mapping[str, Baseline]:
        return {MEAN_PICTURE: MeanPicture()}


class _InpaintingModel:
    """A background network: each frame of a scene from what is around its hole."""

    task = "the hole of every frame filled, what is around it left as it is"
    truth = Inpainting.TRUTH
    layout = ""
    rows = (MODEL,)
    keypoints = None

    def __init__(self, networks: BackgroundInpainter) -> None:
        self._networks, self.arguments = networks, networks.arguments

    def module(self) -> Inpainting:
        return Inpainting(self._networks, loss_weights=_NO_INPAINTING_LOSS)

    def baselines(self) -> Mapping[str, Baseline]:
        return FILLS

    def size(self, asked: Size | None) -> Size:
        return int(self.arguments["image_size"]) if asked is None else asked


def method_of(networks: nn.Module) -> Method:
    """Tell how networks are scored.

    Raises:
        UserError: they make no frames of clips.

    """
    if isinstance(networks, FirstOrderModel):
        return _MotionModel(networks)
    if isinstance(networks, BackgroundInpainter):
        return _InpaintingModel(networks)
    if not isinstance(networks, Pix2PixHD):
        raise UserError(
            f"evaluation is for models that make the frames of clips, which {type(networks).__name__} does "
            "not; train.py scores the test split with test=true"
        )
    return _PoseModel(networks) if networks.layout else _LabelModel(networks)
