"""The shards of a store as jobs of a cluster, through submitit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CLUSTERS = ("slurm", "local", "debug")


def run_shards(
    work: Callable[[str], int],
    count: int,
    *,
    cluster: str,
    logs: Path,
    options: Mapping[str, Any],
) -> list[str]:
    """Run ``work("1/N")`` to ``work("N/N")`` as an array of jobs, and wait for them.

    Args:
        work: what a job does; it is called in another process, perhaps on another machine.
        count: N, the number of jobs.
        cluster: ``slurm``; ``local``, processes of this machine; ``debug``, this process.
        logs: where submitit keeps what the jobs print.
        options: parameters of submitit's ``AutoExecutor``, such as ``slurm_partition``.

    Returns:
        What went wrong, a line for each job that failed; the others are not lost.

    Raises:
        UserError: submitit is not installed, or takes no such cluster or option.

    """
    try:
        import submitit
    except ImportError as error:
        raise UserError(f"{error}: install animate[submitit] to start jobs of a cluster") from error
    try:
        executor = submitit.AutoExecutor(logs, cluster=cluster)
        executor.update_parameters(name="animate-prepare", **options)
        jobs = executor.map_array(work, [f"{number}/{count}" for number in range(1, count + 1)])
    except (submitit.core.utils.FailedJobError, RuntimeError, NameError, TypeError, ValueError) as error:
        raise UserError(f"--cluster {cluster}: {' '.join(str(error).split())}") from error
    failed = []
    for number, job in enumerate(jobs, 1):
        try:
            job.result()
        except Exception as error:  # of any kind: it is the job's
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            failed.append(f"shard {number}/{count} (job {job.job_id}, {job.paths.stderr}): {reason}")
    return failed
