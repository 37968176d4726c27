"""``animate convert SOURCE``: published checkpoints to ours; one sub-verb per source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from animate.cli.published import add_output, add_pickle

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

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
    _finish(parser, _convert_fomm)


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
    _finish(parser, _convert_pix2pixhd)


def _add_u2net(sources: SubParsers) -> None:
    parser = sources.add_parser(
        "u2net",
        help="U²-Net (u2net.pth, u2netp.pth, u2net_human_seg.pth, u2net_portrait.pth)",
        description="Convert a checkpoint of U²-Net as its authors publish it.",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="such as u2netp.pth")
    _add_image_size(parser, 320)
    _finish(parser, _convert_u2net)


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
        _add_image_size(parser, 256)
        _finish(parser, _convert_background)


def _add_image_size(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--image-size",
        type=int,
        default=default,
        metavar="SIDE",
        help=f"side of the pictures that the weights were made for (default {default})",
    )


def _finish(parser: argparse.ArgumentParser, convert: Callable[..., str]) -> None:
    """Declare what all sources have, and which function converts."""
    add_output(parser, "CKPT")
    add_pickle(parser)
    parser.set_defaults(run=run, convert=convert)


def run(args: argparse.Namespace) -> int:
    """Convert, and tell what was converted and what was left out."""
    print(args.convert(args, allow_pickle=args.allow_pickle, overwrite=args.overwrite))
    return 0


def _convert_fomm(args: argparse.Namespace, **how: bool) -> str:
    from animate.checkpoints.convert import fomm

    return fomm.convert(args.config, args.checkpoint, args.output, **how)


def _convert_pix2pixhd(args: argparse.Namespace, **how: bool) -> str:
    from animate.checkpoints.convert import pix2pixhd

    files = pix2pixhd.Files(args.checkpoint, args.discriminator, args.encoder, args.face)
    return pix2pixhd.convert(
        files, args.output, edges=args.edges, previous=args.previous, skeleton=args.skeleton, **how
    )


def _convert_u2net(args: argparse.Namespace, **how: bool) -> str:
    from animate.checkpoints.convert import u2net

    return u2net.convert(args.checkpoint, args.output, image_size=args.image_size, **how)


def _convert_background(args: argparse.Namespace, **how: bool) -> str:
    from animate.checkpoints.convert import inpainting

    return inpainting.convert(args.checkpoint, args.output, args.source, image_size=args.image_size, **how)
