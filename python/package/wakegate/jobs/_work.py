"""What a worker does: scores one part, and writes its file."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from wakegate import Gate, Score
from wakegate.jobs import _storage, _table
from wakegate.jobs._job import Job
from wakegate.jobs._plan import Part

# Rows scored at a time; and of those that have to be fetched, which are held in memory.
_ROWS = 1024
_FETCHED = 64
_FETCHERS = 8

# What a worker says of a part, by name, as Spark's schema has it.
REPORT = (
    "part int, rows int, failed int, audio_s double, work_s double, "
    "intended int, accidental int, unsure int"
)


@functools.lru_cache(maxsize=4)
def gate(model: str | None) -> Gate:
    """The gate of this process."""
    if model is None or not _storage.is_remote(model):
        return Gate.load(None if model is None else _storage.absolute(model))
    system, path = _storage.place(model)
    with tempfile.TemporaryDirectory(prefix="wakegate-") as folder:
        for source in system.ls(path, detail=False):
            system.get_file(source, f"{folder}/{source.rsplit('/', 1)[-1]}")
        return Gate.load(folder)


def score_part(job: Job, part: Part, named: bool, root: str) -> dict[str, float]:
    """Scores `part` and writes its file, if it is not there already; says what came of it."""
    return _storage.again(job.attempts, lambda: _score_part(job, part, named, root))


def _score_part(job: Job, part: Part, named: bool, root: str) -> dict[str, float]:
    start = time.monotonic()
    system, path = _storage.place(job.output)
    # An attempt before this one may have died between its file and its report.
    if not system.exists(f"{path}/{part.name}"):
        with _storage.whole_file(job.output, part.name) as file:
            schema = _table.schema(named, job.carry)
            with pq.ParquetWriter(file, schema, compression="snappy") as writer:
                for scores in _chunks(_scores(job, part, root), _ROWS):
                    writer.write_table(_table.of_scores(scores, job.carry, named))
    with system.open(f"{path}/{part.name}") as file:
        table = pq.read_table(file, columns=["audio_s", "verdict", "error"])
    verdicts = Counter(table["verdict"].to_pylist())
    return {
        "part": part.index,
        "rows": table.num_rows,
        "failed": table.num_rows - table["error"].null_count,
        "audio_s": sum(seconds or 0.0 for seconds in table["audio_s"].to_pylist()),
        "work_s": time.monotonic() - start,
        "intended": verdicts["intended"],
        "accidental": verdicts["accidental"],
        "unsure": verdicts["unsure"],
    }


def _scores(job: Job, part: Part, root: str) -> Iterator[Score]:
    if part.kind == "shard":
        return _shard(job, part.source)
    if part.kind == "files":
        rows: Iterable[dict[str, Any]] = ({"path": path} for path in part.files)
        return _rows(replace(job, columns={}, carry=()), rows, root)
    return _rows(job, _manifest(job, part), root)


def _shard(job: Job, url: str) -> Iterator[Score]:
    """The recordings of an archive; one that is on no local disk is copied to one."""
    options: dict[str, Any] = {
        "columns": dict(job.columns), "carry": list(job.carry), "threads": job.threads,
    }
    if not _storage.is_remote(url):
        yield from gate(job.model).score_corpus(url, **options)
        return
    system, path = _storage.place(url)
    with tempfile.TemporaryDirectory(prefix="wakegate-") as folder:
        local = f"{folder}/{path.rsplit('/', 1)[-1]}"
        system.get_file(path, local)
        for score in gate(job.model).score_corpus(local, **options):
            error = score.error and score.error.replace(local, url)
            yield replace(score, path=score.path.replace(local, url, 1), error=error)


def _manifest(job: Job, part: Part) -> Iterator[dict[str, Any]]:
    """The rows of a part of a manifest, with the columns that are needed."""
    meanings = ("path", "id", "trigger_s", "label", "group")
    wanted = {*job.carry, *(job.columns.get(name, name) for name in meanings)}
    system, path = _storage.place(part.source)
    with system.open(path) as file:
        table = pq.ParquetFile(file)
        names = [name for name in table.schema_arrow.names if name in wanted]
        first = 0
        for group in range(table.num_row_groups):
            count = table.metadata.row_group(group).num_rows
            start, stop = max(part.start - first, 0), min(part.stop - first, count)
            first += count
            if start < stop:
                rows = table.read_row_group(group, columns=names).slice(start, stop - start)
                for batch in rows.to_batches(max_chunksize=_ROWS):
                    yield from batch.to_pylist()


def _rows(job: Job, rows: Iterable[dict[str, Any]], root: str) -> Iterator[Score]:
    """Rows whose recordings are on local disks are read from there; others are fetched."""
    name = job.columns.get("path", "path")
    options: dict[str, Any] = {
        "columns": dict(job.columns), "carry": list(job.carry), "threads": job.threads,
    }
    judge = gate(job.model).score_rows
    with ThreadPoolExecutor(_FETCHERS) as fetchers:
        for chunk in _chunks(rows, _FETCHED):
            paths = [row[name] for row in chunk if row.get(name)]
            places = {path: _storage.join(root, str(path)) for path in map(str, paths)}
            if not any(map(_storage.is_remote, places.values())):
                yield from judge(chunk, root=root, **options)
                continue
            coming = {
                path: fetchers.submit(_storage.fetch, url, job.attempts)
                for path, url in places.items()
            }
            yield from judge(chunk, fetch=lambda path: coming[path].result(), **options)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    items = iter(items)
    while chunk := list(islice(items, size)):
        yield chunk
