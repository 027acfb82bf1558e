"""A corpus on Ray Data: `python -m wakegate.jobs.ray --input ... --output ...`.

Each part is a row of a dataset that `map_batches` hands to a pool of actors, each with a gate of
its own. An actor or node that dies takes one part with it, which Ray gives to another.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import ray
import ray.data

from wakegate.jobs._job import Job, Summary, job_of, main, parser
from wakegate.jobs._run import Worker
from wakegate.jobs._run import run as run_on

# Most blocks that the parts are dealt into.
_BLOCKS = 1000


class _Actor:
    """An actor of the pool."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[float]]:
        reports = [self._worker.score(str(part)) for part in batch["part"]]
        return {key: [report[key] for report in reports] for key in reports[0]}


def run(job: Job, *, workers: int | None = None) -> Summary:
    """Scores a corpus with a pool of actors.

    Args:
        job: what to score, and where to.
        workers: actors, each with `job.threads` cores; as many as fit the cluster for None.

    Raises:
        wakegate.Error: for inputs that can't be, or an output that is another job's.
        ray.exceptions.RayError: where a part fails again and again.
    """

    def engine(worker: Worker, parts: list[str]) -> Iterable[Mapping[str, float]]:
        if not ray.is_initialized():
            ray.init()
        most = int(ray.cluster_resources().get("CPU", 1)) // job.threads
        size = max(1, min(workers or most, len(parts)))
        data = ray.data.from_items(
            [{"part": part} for part in parts], override_num_blocks=min(len(parts), _BLOCKS)
        )
        # Ray Data starts an actor that died again, and gives its part to another, without end.
        pool = data.map_batches(
            _Actor,
            fn_constructor_args=(worker,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=size),
            num_cpus=job.threads,
        )
        reports: Iterable[Mapping[str, float]] = pool.iter_rows()
        return reports

    return run_on(job, engine)


def _main() -> int:
    options = parser("Ray")
    workers = "actors [default: as many as fit]"
    options.add_argument("--workers", type=int, metavar="N", help=workers)
    address = "cluster to join [default: RAY_ADDRESS, or a local one]"
    options.add_argument("--address", metavar="URL", help=address)
    given = options.parse_args()
    if given.address:
        ray.init(address=given.address)
    return main(lambda: run(job_of(given), workers=given.workers))


if __name__ == "__main__":
    sys.exit(_main())
