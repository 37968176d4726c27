"""Scores a checkpoint on a data set: every frame of every clip, into a folder with a report."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import ListConfig, OmegaConf, open_dict
from pytorch_lightning import seed_everything

from animate import checkpoints, reports
from animate.data.codecs import codecs_of
from animate.data.synthetic import PuppetIndex
from animate.data.views import Reconstruction, WholeClip
from animate.errors import UserError
from animate.metrics.evaluation import MODEL
from animate.redaction import without_secrets
from animate.reports.folder import PAGE
from animate.reports.terminal import print_evaluation
from animate.training.annotators import make_annotators, make_networks
from animate.training.callbacks.out_of_memory import OutOfMemory
from animate.training.callbacks.scoring import Scoring
from animate.training.methods import Method, method_of
from animate.training.provenance import provenance
from animate.training.resume import trained_size, training_of
from animate.training.run import build_trainer, check_settings
from animate.video.atomic import destination, sweep, temporary_name
from animate.video.results import check_folder, parents, results_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from omegaconf import DictConfig

    from animate.data.index import Clip
    from animate.data.module import VideoDataModule
    from animate.metrics import Annotators, Evaluation, MetricSet
    from animate.training.methods import Size

MAIN = "l1"
"""The metric that is always there: evaluations are told by it, and clips are ranked by it."""


def evaluate(config: DictConfig) -> float:
    """Reconstruct every test clip from its first frame, print a table and write a report.

    Returns:
        The mean absolute error, lower is better.

    Raises:
        UserError: the checkpoint, the data, a metric or a back-end cannot be used, or the report cannot be
            written.

    """
    if config.seed is None and not OmegaConf.is_missing(config, "checkpoint"):
        config.seed = training_of(Path(config.checkpoint)).get("seed", 0)
    check_settings(config)
    target = output_folder(config)
    method = method_of(checkpoints.load(config.checkpoint))
    _settle(config, method)
    check_settings(config)  # the data may not take what the checkpoint decides
    seed_everything(config.seed, workers=False, verbose=False)
    data: VideoDataModule = instantiate(config.data, _convert_="all")
    if _size(config, method) is None:
        data.size = data.index.clips("test")[0].size
    annotators = _annotators(config, data)
    chosen = _metrics(config, method, annotators)
    _read_masks(data, chosen, annotators)
    place = destination(target)
    with parents(place), _workplace(place) as folder:
        fps = data.index.clips("test")[0].fps
        scoring = Scoring(method, chosen, annotators, _facts(config, data, method), folder, fps)
        memory = OutOfMemory()
        trainer = build_trainer(config, [scoring, memory])
        with memory:
            trainer.test(method.module(), datamodule=data, verbose=False)
        if trainer.is_global_zero:
            _report(scoring, target, config)
    return scoring.evaluation.rows[MODEL][MAIN].value


def output_folder(config: DictConfig) -> Path:
    """Return where the report goes: beside the checkpoint unless the config says otherwise.

    Raises:
        UserError: it cannot go there.

    """
    checkpoint = Path(config.checkpoint)
    if config.output is None and not checkpoint.is_file():
        raise UserError(f"{checkpoint}: no such file; name a checkpoint of train.py or of `animate convert`")
    target = Path(config.output or checkpoint.with_name(f"{checkpoint.stem}_evaluation"))
    check_folder(target, config.overwrite, "overwrite=true")
    return target


def _settle(config: DictConfig, method: Method) -> None:
    """Fill in what the checkpoint decides, and which frames are seen."""
    _check_number("frames", config.frames)
    several = isinstance(config.image_size, ListConfig) and len(config.image_size) == 2
    for side in config.image_size if several else [config.image_size]:
        _check_number("image_size", side)
    whole = {"_target_": "animate.data.views.WholeClip", "frames": config.chunk}
    some = {"_target_": "animate.data.views.Reconstruction", "frames": config.frames}
    view = whole if config.frames is None else some
    with open_dict(config):
        config.model = {"networks": method.arguments}  # what data sets ask of a model, the checkpoint knows
        if (size := _size(config, method)) is not None:
            config.data.image_size = _as_setting(size)
        config.data.eval_view = view | {"truth": list(method.truth), "layout": method.layout}


def _as_setting(size: Size) -> int | list[int]:
    """Write a size as in a config; a square by its side, as puppets take no other."""
    if isinstance(size, int):
        return size
    height, width = size
    return height if height == width else [height, width]


def _size(config: DictConfig, method: Method) -> Size | None:
    """Return the size of the frames: what is asked for, else the model's or its training's, if known."""
    asked = config.image_size
    size = (int(asked[0]), int(asked[1])) if isinstance(asked, ListConfig) else asked
    return method.size(size) or trained_size(Path(config.checkpoint))


def _check_number(name: str, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 2):
        raise UserError(f"{name} must be a whole number of at least 2, or null, not {value!r}")


def _annotators(config: DictConfig, data: VideoDataModule) -> Annotators:
    """Make the back-ends; puppets are read by their own unless others are named.

    Where all are of one kind, joints of that kind are looked for, whichever a picture looks like.
    """
    if isinstance(data.index, PuppetIndex):
        kinds = data.index.kinds
        joints = f"puppet_{kinds[0]}" if len(kinds) == 1 else "puppet"
        config.annotate.puppet = config.annotate.puppet or joints
        config.annotate.identity = config.annotate.identity or "puppet"
    return make_annotators(**config.annotate)


def _metrics(config: DictConfig, method: Method, annotators: Annotators) -> MetricSet:
    if MAIN not in config.metrics.names:
        config.metrics.names = [MAIN, *config.metrics.names]
    # Back-ends and networks are handed in by a call of ours: Hydra would copy them into the config.
    build = instantiate(config.metrics, _partial_=True, _convert_="all")
    chosen: MetricSet = build(annotators=annotators, networks=make_networks(method.keypoints))
    return chosen


def _read_masks(data: VideoDataModule, chosen: MetricSet, annotators: Annotators) -> None:
    """Have the true mattes read along, where there are some and metrics need them from nobody else."""
    needed = any("mask:person" in metric.needs for metric in chosen.metrics)
    if needed and annotators.person is None and _knows("person_mask", data.index.clips("test")):
        assert isinstance(data.eval_view, WholeClip | Reconstruction)
        data.eval_view = replace(data.eval_view, truth=[*data.eval_view.truth, "person_mask"])


def _knows(key: str, clips: Sequence[Clip]) -> bool:
    try:
        return key in clips[0].reader.open(clips[0]).truth([0], None)
    except (UserError, OSError):  # the evaluation will say what is wrong with it
        return False


def _facts(config: DictConfig, data: VideoDataModule, method: Method) -> dict[str, Any]:
    clips = data.index.clips("test")
    height, width = data.size
    frames = "all" if config.frames is None else f"{config.frames} of each clip, evenly spread"
    return provenance(
        checkpoint=str(Path(config.checkpoint).resolve()),
        task=method.task,
        frames=frames,
        crop=f"whole frames, stretched to {width}x{height}",
        codec={"target": codecs_of(clips), "prediction": "none: scored before any encoding"},
        annotate=without_secrets(OmegaConf.to_container(config.annotate, resolve=True)),
        precision=str(config.trainer.precision),
        data=without_secrets(OmegaConf.to_container(config.data, resolve=True)),
    )


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Give a folder beside the target for what is recorded; the first process's serves all of them."""
    sweep(target.parent, target.suffix, target.stem)
    folder = temporary_name(target)
    try:
        folder.mkdir(0o700)
    except OSError as error:
        raise UserError(f"cannot write to {target.parent}: {error.strerror}; set output=...") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _report(scoring: Scoring, target: Path, config: DictConfig) -> None:
    evaluation: Evaluation = scoring.evaluation
    with results_folder(target, config.overwrite) as folder:
        reports.write(evaluation, folder, scoring.recorder)
    print_evaluation(evaluation, f"{Path(config.checkpoint).name} on the test split")
    print(f"written to {target / PAGE}")
