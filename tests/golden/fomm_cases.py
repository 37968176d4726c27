"""Cases of the published First Order Motion Model, brought to our names and arguments.

Golden cases hold weights, inputs and float32 results. A subset lies beside this file; the whole set is used
when ``ANIMATE_GOLDEN`` names its folder. Drawn cases have the same five configurations, but weights and
inputs that are drawn by name (``drawn.py``), so all of them are always there. ``float64.json`` and
``float64.safetensors`` hold what the published code gives in float64 for both kinds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import drawn
from safetensors.torch import load_file, save_file

from animate.checkpoints.convert.fomm import published_name
from animate.losses.perceptual import PerceptualLoss
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.fomm import Discriminator, FirstOrderModel
from animate.networks.vgg import VGG19Features, vgg19_from_state
from animate.ops.transform import RandomTransform

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SUBSET = Path(__file__).parent
FULL = Path(os.environ["ANIMATE_GOLDEN"]) if "ANIMATE_GOLDEN" in os.environ else None
CONFIGURATIONS = ("jac_s025", "singlejac_s025", "nojac_s025", "nojac_s1", "jac_s1")
NAMES = CONFIGURATIONS if FULL else ("jac_s025",)
DISCRIMINATORS = CONFIGURATIONS if FULL else ("jac_s025", "nojac_s025")
DRAWN = tuple(f"drawn_{name}" for name in CONFIGURATIONS)
FLOAT64 = json.loads((SUBSET / "float64.json").read_text())
SLIM_VGG = 16
PARTS = ("kp_detector", "generator", "discriminator", "losses", "train_steps")
FACTS = ("values", "grad_norms", "f64_noise", "losses", "full_vgg19")


class Case:
    """One configuration: its weights, and what each part of it gave.

    ``tensors`` are ``state.<published key>`` and ``<part>.<in|mid|out|outac|grad>.<key>``; ``facts[part]``
    holds the numbers beside the tensors.
    """

    def __init__(self, settings: dict[str, Any], facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.settings, self.facts, self.tensors = settings, facts, tensors

    def to(self, dtype: torch.dtype) -> Case:
        """The same case with its weights and inputs in another precision."""
        tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in self.tensors.items()}
        return Case(self.settings, self.facts, tensors)

    def all(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def noise(self, part: str, key: str) -> float:
        return self.facts[part].get("f64_noise", {}).get(key, 0.0)

    @property
    def networks(self) -> dict[str, Any]:
        """Arguments of ``FirstOrderModel``."""
        common, kp, gen = (self.settings[f"{name}_params"] for name in ("common", "kp_detector", "generator"))
        motion = gen["dense_motion_params"]
        kind = "shared" if kp["single_jacobian_map"] else "per_keypoint"
        return {
            "image_size": self.settings["hw"][0],
            "motion_size": round(self.settings["hw"][0] * kp["scale_factor"]),
            "num_keypoints": common["num_kp"],
            "jacobian": kind if common["estimate_jacobian"] else "none",
            "temperature": kp["temperature"],
            "keypoint_width": kp["block_expansion"],
            "keypoint_max_width": kp["max_features"],
            "keypoint_depth": kp["num_blocks"],
            "motion_width": motion["block_expansion"],
            "motion_max_width": motion["max_features"],
            "motion_depth": motion["num_blocks"],
            "generator_width": gen["block_expansion"],
            "generator_max_width": gen["max_features"],
            "generator_depth": gen["num_down_blocks"],
            "generator_blocks": gen["num_bottleneck_blocks"],
            "occlusion": gen["estimate_occlusion_map"],
        }

    @property
    def discriminator(self) -> dict[str, Any]:
        """Arguments of ``Discriminator``."""
        params = self.settings["discriminator_params"]
        return {
            "num_keypoints": self.settings["common_params"]["num_kp"],
            "width": params["block_expansion"],
            "max_width": params["max_features"],
            "depth": params["num_blocks"],
            "spectral_norm": params["sn"],
            "condition_on_keypoints": params["use_kp"],
        }

    @property
    def scales(self) -> list[float]:
        """The discriminator's scales; ours has one, so a second one is a second discriminator."""
        return self.settings["discriminator_params"]["scales"]

    def module(self) -> FOMM:
        """Our LightningModule with the case's weights, in training mode."""
        weights = self.settings["train_params"]["loss_weights"]
        loss_weights = LossWeights(
            perceptual=weights["perceptual"][0],
            generator_gan=weights["generator_gan"],
            discriminator_gan=weights["discriminator_gan"],
            feature_matching=weights["feature_matching"][0],
            equivariance_value=weights["equivariance_value"],
            equivariance_jacobian=weights["equivariance_jacobian"],
        )
        discriminator = Discriminator(**self.discriminator)
        networks = FirstOrderModel(**self.networks)
        module = FOMM(networks, discriminator, self.perceptual(), loss_weights)
        self.fill(networks, "networks.")
        self.fill(discriminator, "discriminator.")
        module.discriminator = discriminator  # kept here even where its weight is 0: its own term has a value
        return module

    def perceptual(self) -> PerceptualLoss:
        state = {
            f"features.{k.split('.', 1)[1]}": v for k, v in self.all("state.vgg.").items() if "slice" in k
        }
        return PerceptualLoss(vgg19_from_state(state), len(self.settings["train_params"]["scales"]))

    def fill(self, module: nn.Module, prefix: str, scale: float = 1) -> None:
        """Load the published weights into one of our networks."""
        ours = {prefix + key: value for key, value in module.state_dict().items()}
        module.load_state_dict({key.removeprefix(prefix): self.weight(key, ours, scale) for key in ours})

    def weight(self, key: str, ours: dict[str, Tensor], scale: float = 1, kind: str = "state.") -> Tensor:
        return self.tensors[kind + scaled(published_name(key, ours), scale)]

    def transform(self, prefix: str) -> RandomTransform:
        """The random transform that the published code drew, ``in`` or ``step<n>``."""
        weights = self.tensors.get(f"{prefix}control_params")
        return RandomTransform(
            self.tensors[f"{prefix}theta"], None if weights is None else weights.flatten(1)
        )


def read(name: str) -> Case:
    """A case by its name; the name is put into its settings."""
    if name in DRAWN:
        case = _draw(dict(FLOAT64[name]["case"]))
    elif FULL:
        case = _merge(FULL, name)
    else:
        facts = json.loads((SUBSET / f"{name}.json").read_text())
        case = Case(facts["case"], facts["parts"], load_file(SUBSET / f"{name}.safetensors"))
    case.settings["name"] = name
    return case


def read_discriminator(name: str) -> Case:
    """A case of which at least the discriminator is there."""
    if FULL or name in NAMES:
        return read(name)
    facts = json.loads((SUBSET / f"{name}_discriminator.json").read_text())
    facts["case"]["name"] = name
    return Case(facts["case"], facts["parts"], load_file(SUBSET / f"{name}_discriminator.safetensors"))


def _draw(settings: dict[str, Any]) -> Case:
    case = Case(settings, {}, {})
    shapes: dict[str, tuple[int, ...]] = {}
    for part, module in (
        ("networks.", FirstOrderModel(**case.networks)),
        ("discriminator.", Discriminator(**case.discriminator)),
    ):
        ours = {part + key: value for key, value in module.state_dict().items()}
        for scale in case.scales if part == "discriminator." else [1]:
            shapes |= {scaled(published_name(key, ours), scale): tuple(ours[key].shape) for key in ours}
    case.tensors = {f"state.{name}": value for name, value in drawn.state(shapes).items()}
    vgg = VGG19Features(SLIM_VGG).state_dict()
    shapes = {key.replace("convs.", "vgg."): tuple(value.shape) for key, value in vgg.items()}
    case.tensors |= {
        f"state.{name.replace('vgg.', 'vgg.slice.')}": v for name, v in drawn.state(shapes).items()
    }
    for prefix, mark, name in [("losses.in.", "transform.", "losses")] + [
        (f"train_steps.in.step{step}.", "", f"step{step}") for step in range(3)
    ]:
        case.tensors |= _draw_inputs(settings, prefix, mark, f"{settings['name']}.{name}")
    return case


def _draw_inputs(settings: dict[str, Any], prefix: str, mark: str, name: str) -> dict[str, Tensor]:
    batch, side = settings["bs"], settings["hw"][0]
    inputs = {prefix + end: drawn.picture(f"{name}.{end}", batch, side) for end in ("source", "driving")}
    theta, bend = drawn.transform(name, batch, settings["train_params"]["transform_params"].get("points_tps"))
    inputs[f"{prefix}{mark}theta"] = theta
    return inputs if bend is None else inputs | {f"{prefix}{mark}control_params": bend}


def scaled(name: str, scale: float) -> str:
    """The name of a discriminator's weight at another scale."""
    return name.replace("discs.1.", f"discs.{str(scale).replace('.', '-')}.")


def _merge(folder: Path, name: str) -> Case:
    """Join the files of one configuration. All parts start from one set of weights, that of the losses."""
    tensors, facts, settings = {}, {}, {}
    for part in PARTS:
        path = folder / f"{name}_{part}.safetensors"
        if not path.exists():
            continue
        beside = json.loads(path.with_suffix(".json").read_text())
        settings, facts[part] = beside["case"], {key: beside[key] for key in FACTS if key in beside}
        for key, value in load_file(path).items():
            if not key.startswith("state."):
                tensors[f"{part}.{key}"] = value
            elif part == "losses":
                tensors[key] = value
    return Case(settings, facts, tensors)


def write_subset(folder: Path, name: str) -> None:
    """Write the part of one case that the tests use when the whole set is not there."""
    case = _merge(folder, name)
    dropped = (
        "kp_detector.in.", "kp_detector.mid.feature_map", "kp_detector.mid.down", "kp_detector.mid.jac",
        "generator.in.source_image", "generator.mid.dense_hourglass", "generator.mid.down_last",
        "generator.mid.bottleneck", "generator.out.generator.", "discriminator.in.kp",
        "discriminator.out.feature_maps_1.0", "train_steps.", "losses.out.",
    )  # fmt: skip
    kept = {key: value for key, value in case.tensors.items() if not key.startswith(dropped)}
    case.facts.pop("train_steps", None)
    for part in ("losses", "discriminator"):
        case.facts[part].pop("grad_norms", None)
    save_file({key: value.contiguous() for key, value in kept.items()}, SUBSET / f"{name}.safetensors")
    text = json.dumps({"case": case.settings, "parts": case.facts}, indent=1)
    (SUBSET / f"{name}.json").write_text(text + "\n")


def write_discriminator(folder: Path, name: str) -> None:
    """Write the discriminator of one case, weights and all; its features are kept in part, for their size."""
    case = _merge(folder, name)
    kept = {k: v for k, v in case.tensors.items() if k.startswith(("state.discriminator.", "discriminator."))}
    kept = {k: v.contiguous() for k, v in kept.items() if not k.endswith((".0", "kp.jacobian"))}
    save_file(kept, SUBSET / f"{name}_discriminator.safetensors")
    text = json.dumps(
        {"case": case.settings, "parts": {"discriminator": case.facts["discriminator"]}}, indent=1
    )
    (SUBSET / f"{name}_discriminator.json").write_text(text + "\n")
