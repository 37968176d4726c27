"""The reference implementation's YAML (``vox-adv-256.yaml`` and its like) as arguments of our networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from animate.checkpoints.architectures import ARCHITECTURES
from animate.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = object()
Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """Settings under one dotted name; what is wrong with them is collected, to be told all at once."""

    name: str
    settings: dict[str, object]
    problems: list[str]

    def inner(self, key: str) -> Section:
        """Take a section out of this one; a missing one is empty."""
        found = self.settings.pop(key, None)
        if not isinstance(found, Mapping | None):
            self.problems.append(f"{self.name}{key} must be a section, not {found!r:.40}")
            found = None
        return Section(f"{self.name}{key}.", dict(found or {}), self.problems)

    def take(self, key: str, default: object = REQUIRED) -> Any:
        """Take one setting out; the reference's own default stands where it has one."""
        if key not in self.settings and default is REQUIRED:
            self.problems.append(f"{self.name}{key} is missing")
        return self.settings.pop(key, default)

    def only(self, key: str, *supported: object) -> None:
        """Take out a setting that the networks here have no argument for."""
        value = self.settings.pop(key, supported[0])
        if value not in supported:
            self.problems.append(f"{self.name}{key}: {value!r:.40} is not supported (only {supported[0]})")

    def finish(self) -> None:
        """Whatever was not taken is not known."""
        self.problems.extend(f"{self.name}{key} is not a known setting" for key in self.settings)


def read_config(path: Path) -> tuple[Arguments, Arguments | None]:
    """Read the arguments of ``FirstOrderModel`` and, where the file has one, of ``Discriminator``.

    Only ``model_params`` and the frame size of ``dataset_params`` are looked at.

    Raises:
        UserError: The file is not such a configuration, or asks for what the networks here do not have; every
            such setting is named.

    """
    root = Section("", _read_yaml(path), [])
    size = _image_size(root.inner("dataset_params"))
    model = root.inner("model_params")
    if not model.settings and not root.problems:
        raise UserError(
            f"{path} has no model_params: it is not a configuration of the First Order Motion Model"
        )
    common = model.inner("common_params")
    common.only("num_channels", 3)
    num_keypoints = common.take("num_kp")
    networks = _networks(common, model, size) | {"num_keypoints": num_keypoints}
    discriminator = None
    if "discriminator_params" in model.settings:
        discriminator = _discriminator(model.inner("discriminator_params"))
        discriminator["num_keypoints"] = num_keypoints
    common.finish()
    model.finish()
    if root.problems:
        raise UserError(f"{path}: {'; '.join(root.problems)}")
    return _checked(networks, discriminator, path)


def _networks(common: Section, model: Section, size: object) -> Arguments:
    detector, generator = model.inner("kp_detector_params"), model.inner("generator_params")
    motion = generator.inner("dense_motion_params")
    detector.only("pad", 0)
    motion.only("kp_variance", 0.01)
    scale = motion.take("scale_factor", 1)
    detector.only("scale_factor", scale)  # one motion_size serves both
    arguments = {
        "image_size": size,
        "motion_size": _motion_size(size, scale, motion),
        "jacobian": _jacobian(common.take("estimate_jacobian", False), detector),
        "temperature": detector.take("temperature"),
        "generator_width": generator.take("block_expansion"),
        "generator_max_width": generator.take("max_features"),
        "generator_depth": generator.take("num_down_blocks"),
        "generator_blocks": generator.take("num_bottleneck_blocks"),
        "occlusion": generator.take("estimate_occlusion_map", False),
    }
    for ours, section in (("keypoint", detector), ("motion", motion)):
        arguments[f"{ours}_width"] = section.take("block_expansion")
        arguments[f"{ours}_max_width"] = section.take("max_features")
        arguments[f"{ours}_depth"] = section.take("num_blocks")
    for section in (detector, generator, motion):
        section.finish()
    return arguments


def _discriminator(section: Section) -> Arguments:
    section.only("scales", [1])
    section.only("kp_variance", 0.01)
    arguments = {
        "width": section.take("block_expansion", 64),
        "max_width": section.take("max_features", 512),
        "depth": section.take("num_blocks", 4),
        "spectral_norm": section.take("sn", False),
        "condition_on_keypoints": section.take("use_kp", False),
    }
    section.finish()
    return arguments


def _image_size(dataset: Section) -> object:
    """Side of the frames: ``frame_shape``, in older files ``image_shape``, is (height, width, channels)."""
    name = "image_shape" if "image_shape" in dataset.settings else "frame_shape"
    shape = dataset.take(name, [256, 256, 3])
    if not isinstance(shape, list) or len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3:
        dataset.problems.append(f"{dataset.name}{name} must be [side, side, 3], not {shape!r:.40}")
        return None
    return shape[0]


def _motion_size(size: object, scale: object, motion: Section) -> int | None:
    if not isinstance(size, int):
        return None  # told already
    if not isinstance(scale, int | float) or not 0 < scale <= 1 or size * scale % 1:
        motion.problems.append(
            f"{motion.name}scale_factor {scale!r:.40} of {size} is no whole number of pixels"
        )
        return None
    return int(size * scale)


def _jacobian(estimate: object, detector: Section) -> str:
    single = detector.take("single_jacobian_map", False)
    if not estimate:
        return "none"
    return "shared" if single else "per_keypoint"


def _checked(
    networks: Arguments, discriminator: Arguments | None, path: Path
) -> tuple[Arguments, Arguments | None]:
    parts = ARCHITECTURES["fomm"]
    if discriminator is not None:
        discriminator = parts.discriminator.complete(discriminator, f"{path}, discriminator_params")
    return parts.networks.complete(networks, f"{path}, model_params"), discriminator


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no configuration {path}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # a date or a number may be none
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path} is not a YAML file: {reason}") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path} is not a configuration: it holds no sections")
    return tree
