"""Cases of the published pix2pixHD, brought to our names and arguments.

*Golden* cases hold weights, inputs and float32 results. Two of them lie beside this file in
``pix2pixhd.safetensors``; all are used when ``ANIMATE_GOLDEN`` names the folder of the whole set.

*Drawn* cases have weights and inputs that are drawn by name (``drawn.py``). ``pix2pixhd_steps.json`` holds
what the published code gives for them in float64: outputs, losses and gradients of a first optimisation step,
losses of the next ones, and how they changed the weights. Tensors are stored as norm and one projection.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import drawn
import torch
from safetensors.torch import load_file, save_file

from animate.checkpoints.convert.pix2pixhd import names
from animate.checkpoints.convert.pix2pixhd_layout import (
    discriminator_arguments,
    discriminator_layers,
    translator_arguments,
    translator_layers,
)
from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD, Translator
from animate.networks.vgg import VGG19Features, vgg19_from_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

HERE = Path(__file__).parent
FULL = Path(os.environ["ANIMATE_GOLDEN"]) if "ANIMATE_GOLDEN" in os.environ else None
SUBSET = ("global_instance", "encoder")
GENERATORS = ("global_instance", "global_batch", "local_instance", "local_batch")
DISCRIMINATORS = (
    "disc_instance_lsgan_interm",
    "disc_instance_lsgan_plain",
    "disc_instance_bce_plain",
    "disc_batch_lsgan_interm",
)
STEPS = json.loads((HERE / "pix2pixhd_steps.json").read_text())
SIDE, BATCH, SLIM_VGG = 32, 2, 16


def there(cases: Iterable[str]) -> list[str]:
    """Keep the golden cases that are there."""
    return [name for name in cases if FULL or name in SUBSET]


class Golden:
    """One golden case: its tensors by prefix, and the numbers beside them."""

    def __init__(self, name: str) -> None:
        folder = FULL or HERE
        if FULL:
            path = folder / f"pix2pixHD_{name}.json"
            self.facts: dict[str, Any] = json.loads(path.read_text())
            self.tensors = load_file(path.with_suffix(".safetensors"))
        else:
            self.facts = json.loads((HERE / "pix2pixhd.json").read_text())[name]
            everything = load_file(HERE / "pix2pixhd.safetensors")
            self.tensors = {
                key.removeprefix(f"{name}."): value
                for key, value in everything.items()
                if key.startswith(f"{name}.")
            }

    def all(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def translator(self, kind: type[Translator] = Translator, **options: object) -> Translator:
        """A network of ours with the case's weights, its shape read from them."""
        state = self.all("state.")
        found = translator_arguments(state, Path("golden"))
        if kind is Translator:
            options = found
        network = kind(**options)
        fill(network, state, translator_names(found, network))
        return network.eval()

    def discriminator(self) -> MultiscaleDiscriminator:
        state = self.all("state.")
        network = MultiscaleDiscriminator(**discriminator_arguments(state, Path("golden")))
        fill(network, state, discriminator_names(network, featured="scale0_layer0.0.weight" in state))
        return network.eval()


def translator_names(arguments: Mapping[str, Any], network: nn.Module) -> dict[str, str]:
    keys = ("depth", "blocks", "enhancers", "enhancer_blocks")
    return names(translator_layers(*(arguments.get(key, 0) for key in keys)), network.state_dict())


def discriminator_names(network: MultiscaleDiscriminator, featured: bool) -> dict[str, str]:
    sizes = network.arguments["layers"], network.arguments["scales"]
    return names(discriminator_layers(*sizes, featured), network.state_dict())


def fill(network: nn.Module, published: Mapping[str, Tensor], theirs: Mapping[str, str]) -> None:
    """Load published weights, of the names that ``theirs`` gives, into a network of ours."""
    assert set(theirs.values()) == set(published)
    network.load_state_dict({ours: published[name] for ours, name in theirs.items()})


def write_subset(folder: Path) -> None:
    """Write the golden cases that the tests use when the whole set is not there; one picture of each."""
    tensors, facts = {}, {}
    for name in SUBSET:
        path = folder / f"pix2pixHD_{name}.safetensors"
        beside = json.loads(path.with_suffix(".json").read_text())
        facts[name] = {
            key: beside[key] for key in ("source", "class", "kwargs", "norm", "f64_noise") if key in beside
        }
        for key, value in load_file(path).items():
            kept = value if key.startswith("state.") else value[:1]
            tensors[f"{name}.{key}"] = kept.clone()
    save_file(tensors, HERE / "pix2pixhd.safetensors")
    (HERE / "pix2pixhd.json").write_text(json.dumps(facts, indent=1) + "\n")


# Drawn cases

CASES: dict[str, dict[str, Any]] = {
    "global": {"label_nc": 5, "edges": True},
    "features": {
        "label_nc": 5,
        "edges": True,
        "features": True,
        "norm": "batch",
        "least_squares": False,
        "feature_matching": False,
        "perceptual": False,
    },
    "local": {"label_nc": 0, "edges": False, "enhancers": 1},
}
"""The published options of each; ``enhancers`` is the local generator, of which the enhancer alone learns."""


def networks(case: str) -> tuple[Pix2PixHD, MultiscaleDiscriminator]:
    """Our networks of a drawn case, with its weights, in training mode and in the default precision."""
    options = CASES[case]
    norm, classes, enhancers = (
        options.get("norm", "instance"),
        options["label_nc"],
        options.get("enhancers", 0),
    )
    model = Pix2PixHD(
        labels=classes or 3, indexed=classes > 0, edges=options["edges"],
        features=3 * options.get("features", 0), width=8, depth=2, blocks=2, enhancers=enhancers,
        enhancer_blocks=1, norm=norm, encoder_width=4, encoder_depth=2,
    )  # fmt: skip
    discriminator = MultiscaleDiscriminator(model.condition_channels, 1, 8, 2, 2, norm)
    for part, module, theirs in published_parts(case, model, discriminator):
        shapes = {
            f"{case}.{part}.{theirs[key]}": tuple(value.shape) for key, value in module.state_dict().items()
        }
        state = {name.removeprefix(f"{case}.{part}."): value for name, value in drawn.state(shapes).items()}
        fill(module, state, theirs)
    dtype = torch.get_default_dtype()
    return model.to(dtype).train(), discriminator.to(dtype).train()


def published_parts(
    case: str, model: Pix2PixHD, discriminator: MultiscaleDiscriminator
) -> list[tuple[str, nn.Module, dict[str, str]]]:
    """The published name of each network, ours, and the published names of its tensors."""
    sizes = {"depth": 2, "blocks": 2, "enhancers": CASES[case].get("enhancers", 0), "enhancer_blocks": 1}
    featured = CASES[case].get("feature_matching", True)
    parts: list[tuple[str, nn.Module, dict[str, str]]] = [
        ("netG", model.generator, translator_names(sizes, model.generator)),
        ("netD", discriminator, discriminator_names(discriminator, featured)),
    ]
    if model.encoder is not None:
        parts.append(("netE", model.encoder, translator_names({"depth": 2}, model.encoder)))
    return parts


def inputs(case: str, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Label, instance map and picture in [0, 1] of one step, in float64."""
    picture = drawn.picture(f"{case}.{step}.picture", BATCH, SIDE)
    maps = drawn.picture(f"{case}.{step}.maps", BATCH, SIDE)
    instance = (7 * maps[:, 1:2]).floor().long().clamp(0, 6)
    classes = CASES[case]["label_nc"]
    label = (classes * maps[:, :1]).floor().long().clamp(0, classes - 1) if classes else maps
    return label, instance, picture


def vgg_state() -> dict[str, Tensor]:
    """A drawn VGG19 of a sixteenth of its width, under torchvision's names."""
    shapes = {
        key.replace("convs.", "features."): tuple(value.shape)
        for key, value in VGG19Features(SLIM_VGG).state_dict().items()
    }
    return drawn.state(shapes)


def vgg() -> VGG19Features:
    return vgg19_from_state(vgg_state()).to(torch.get_default_dtype())
