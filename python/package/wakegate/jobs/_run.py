"""What is the same on every engine: plan, work, completion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from wakegate.jobs import _plan, _storage, _work
from wakegate.jobs._job import Job, Summary
from wakegate.jobs._plan import Part


@dataclass(frozen=True)
class Worker:
    """Scores parts by their JSON; what the engines send to their workers."""

    job: Job
    named: bool
    root: str

    def score(self, part: str) -> dict[str, float]:
        """Scores a part, and says what came of it."""
        return _work.score_part(self.job, Part.of_json(part), self.named, self.root)


def run(
    job: Job, engine: Callable[[Worker, list[str]], Iterable[Mapping[str, float]]]
) -> Summary:
    """Has `engine` score the parts that are not there yet."""
    # Workers have working folders of their own.
    job = replace(
        job,
        output=_storage.absolute(job.output),
        model=job.model and _storage.absolute(job.model),
    )
    info = _work.gate(job.model).model
    model: dict[str, object] = {"id": info.id, "manifest": info.manifest_sha256}
    plan = _plan.make(job)
    todo = _plan.claim(job, plan, model)
    summary = Summary(parts=len(plan.parts), done_before=len(plan.parts) - len(todo))
    if todo:
        root = _storage.absolute(job.root or os.getcwd())
        worker = Worker(job, plan.named, root)
        for report in engine(worker, [part.to_json() for part in todo]):
            summary.add(report)
    _plan.complete(job, plan)
    return summary
