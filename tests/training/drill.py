"""A slow training of the toy in a process of its own, to be signalled; prints losses and weights."""
# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

from harness import train
from pytorch_lightning import Callback

from animate.training.callbacks.interruption import Interruption


class Slow(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        print("step", trainer.global_step, flush=True)
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--accumulation", type=int, default=1)
    parser.add_argument("--ema", action="store_true")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    with Interruption() as interruption:
        run = train(
            args.folder,
            resume=args.resume,
            workers=args.workers,
            accumulation=args.accumulation,
            ema=args.ema,
            max_epochs=4,
            extra=[Slow(), interruption],
        )
    state = [*run.module.state_dict().values(), *run.averages.values()]
    digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in state)).hexdigest()
    print(json.dumps({"weights": digest, "seen": run.module.seen}))


if __name__ == "__main__":
    main()
