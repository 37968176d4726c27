"""``animate convert SOURCE``: published checkpoints to ours; one sub-verb per source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: SubParsers) -> None:
    """Add the verb and its sources to the command line."""
    parser = subparsers.add_parser(
        "convert",
        help="turn a published checkpoint into one of ours",
        description="Turn a checkpoint that others published into one to drive and to fine-tune.",
    )
    sources = parser.add_subparsers(title="sources", dest="source", metavar="SOURCE", required=True)
    _add_fomm(sources)
    _add_pix2pixhd(sources)
    _add_u2net(sources)
    _add_backgrounds(sources)


def _add_fomm(sources: SubParsers) -> None:
    parser = sources.add_parser(
        "fomm",
        help="First Order Motion Model (*-cpk.pth.tar with its YAML)",
        description="Convert a checkpoint of the First Order Motion Model as its authors published it.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="such as vox-adv-256.yaml")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="such as vox-adv-cpk.pth.tar"
    )
    _add_common(parser)
    parser.set_defaults(run=run_fomm)


def _add_pix2pixhd(sources: SubParsers) -> None:
    parser = sources.add_parser(
        "pix2pixhd",
        help="pix2pixHD and Everybody Dance Now (latest_net_G.pth)",
        description="Convert networks of pix2pixHD as its authors' code saves them.",
    )
    for name, required, example in (
        ("checkpoint", True, "the generator, such as latest_net_G.pth"),
        ("discriminator", False, "such as latest_net_D.pth"),
        ("encoder", False, "such as latest_net_E.pth, of a generator that takes features of instances"),
        ("face", False, "such as latest_net_Gface.pth"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=required, metavar="FILE", help=example)
    parser.add_argument(
        "--edges", action="store_true", help="one of the inputs is the edges of an instance map"
    )
    parser.add_argument("--previous", action="store_true", help="three of the inputs are the previous frame")
    parser.add_argument(
        "--skeleton",
        default="",
        metavar="LAYOUT",
        help="the labels are skeletons of these points, such as coco18",
    )
    _add_common(parser)
    parser.set_defaults(run=run_pix2pixhd)


def _add_u2net(sources: SubParsers) -> None:
    parser = sources.add_parser(
        "u2net",
        help="U²-Net (u2net.pth, u2netp.pth, u2net_human_seg.pth, u2net_portrait.pth)",
        description="Convert a checkpoint of U²-Net as its authors publish it.",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="such as u2netp.pth")
    parser.add_argument(
        "--image-size",
        type=int,
        default=320,
        metavar="SIDE",
        help="side of the pictures that the weights were made for (default 320)",
    )
    _add_common(parser)
    parser.set_defaults(run=run_u2net)


def _add_backgrounds(sources: SubParsers) -> None:
    for layout, help_text, example in (
        ("impersonator", "background network of Impersonator", "net_epoch_30_id_G.pth"),
        ("ipercore", "background network of iPERCore", "AttLWB-SPADE_id_G_2020-05-18.pth"),
    ):
        parser = sources.add_parser(
            layout,
            help=f"{help_text} ({example})",
            description=f"Convert the {help_text}, whatever else its file holds.",
        )
        parser.add_argument(
            "--checkpoint", type=Path, required=True, metavar="FILE", help=f"such as {example}"
        )
        parser.add_argument(
            "--image-size",
            type=int,
            default=256,
            metavar="SIDE",
            help="side of the pictures that the weights were made for (default 256)",
        )
        _add_common(parser)
        parser.set_defaults(run=run_background, layout=layout)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="CKPT", help="where to write")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read a file that can run code while it is read; only for files whose origin you trust",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")


def run_pix2pixhd(args: argparse.Namespace) -> int:
    """Convert and tell what was converted."""
    from animate.checkpoints.convert import pix2pixhd

    files = pix2pixhd.Files(args.checkpoint, args.discriminator, args.encoder, args.face)
    print(
        pix2pixhd.convert(
            files,
            args.output,
            edges=args.edges,
            previous=args.previous,
            skeleton=args.skeleton,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0


def run_u2net(args: argparse.Namespace) -> int:
    """Convert and tell what was converted."""
    from animate.checkpoints.convert import u2net

    print(
        u2net.convert(
            args.checkpoint,
            args.output,
            image_size=args.image_size,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0


def run_background(args: argparse.Namespace) -> int:
    """Convert and tell what was converted, and what was left out."""
    from animate.checkpoints.convert import inpainting

    print(
        inpainting.convert(
            args.checkpoint,
            args.output,
            args.layout,
            image_size=args.image_size,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0


def run_fomm(args: argparse.Namespace) -> int:
    """Convert and tell what was converted."""
    from animate.checkpoints.convert import fomm

    print(
        fomm.convert(
            args.config,
            args.checkpoint,
            args.output,
            allow_pickle=args.allow_pickle,
            overwrite=args.overwrite,
        )
    )
    return 0
