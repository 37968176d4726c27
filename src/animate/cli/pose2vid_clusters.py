"""``animate pose2vid clusters``: typical appearances of each class, for a model that takes such features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli.pose2vid_prepare import size as height_and_width
from animate.errors import UserError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from animate.data.index import Clip
    from animate.networks.pix2pixhd import Pix2PixHD

    Size = tuple[int, int]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the arguments; nothing heavy is imported for that."""
    parser = subparsers.add_parser(
        "clusters",
        help="find typical appearances of each class, after a training on maps of instances",
        description="Encode every instance of the training pictures, and keep the typical features of each"
        " class in the checkpoint: what a picture is made with where there is none to encode.",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="trained model")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="what it was trained on")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the new checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output file")
    parser.add_argument(
        "--size", type=height_and_width, metavar="HxW", help="of the pictures (default: as in training)"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N or mps")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Encode, cluster, and write the checkpoint with the clusters in it."""
    from animate import checkpoints
    from animate.checkpoints import files
    from animate.checkpoints.description import description_of
    from animate.cli.console import terminable, track
    from animate.data.label_maps import LabelMapIndex
    from animate.pipelines.device import resolve
    from animate.training.resume import trained_size
    from animate.video.atomic import check_target

    check_target(args.output, args.overwrite)
    networks = checkpoints.load(args.checkpoint, resolve(args.device), method="pix2pixhd")
    if networks.clusters is None:
        raise UserError(f"{args.checkpoint}: this model has no features of instances, so nothing to cluster")
    size = args.size or trained_size(args.checkpoint)
    if size is None:
        raise UserError("give the size of the pictures in training: --size HxW")
    clips = LabelMapIndex(args.data, labels=int(networks.arguments["labels"])).clips("train")
    with terminable():
        networks.clusters.fit(encoded(networks, track(clips, "encoding", len(clips), "pictures"), size))
    whole = files.read(args.checkpoint)
    for name, value in networks.clusters.state_dict().items():
        whole["state_dict"][f"networks.clusters.{name}"] = value.cpu()
    checkpoints.save(args.output, whole, description_of(whole, args.checkpoint))
    counts = networks.clusters.counts
    print(f"{args.output}: {int(counts.sum())} typical appearances of {int((counts > 0).sum())} classes")
    return 0


def encoded(
    networks: Pix2PixHD, clips: Iterable[Clip], size: Size
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield features, classes and instances of each picture, as ``FeatureClusters.fit`` takes them.

    Raises:
        UserError: a picture has no map of instances.

    """
    import torch

    assert networks.encoder is not None
    device = next(networks.parameters()).device
    for clip in clips:
        reader = clip.reader.open(clip)
        maps = reader.truth([0], size)
        if "instance" not in maps:
            raise UserError(f"{clip.path} has no map of instances, which the features belong to")
        picture = torch.from_numpy(reader.frames([0], size)).to(device).movedim(-1, 1).float().div(255)
        label, instance = (torch.from_numpy(maps[name])[:, None].to(device) for name in ("label", "instance"))
        with torch.inference_mode():
            features = networks.encoder(picture, instance)
        yield features, label, instance
