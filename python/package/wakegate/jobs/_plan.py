"""Inputs to parts: the same inputs give the same parts, in the order of the inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.parquet as pq

from wakegate import SCHEMA, Error, FileError, SettingsError, __version__
from wakegate._wakegate import AUDIO_EXTENSIONS, check_carry
from wakegate.jobs import _storage
from wakegate.jobs._job import Job

# What says of an output folder which job it is of.
RUN_FILE = "_wakegate.json"
SUCCESS_FILE = "_SUCCESS"
_SHARDS = (".tar", ".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class Part:
    """A piece of work, and a file of the output.

    Attributes:
        index: its number, from 0.
        kind: "rows" of a manifest, a "shard", or "files".
        source: the manifest or shard; of files, nothing.
        start, stop: the rows of a manifest, from `start` up to and without `stop`.
        files: the files.
    """

    index: int
    kind: str
    source: str = ""
    start: int = 0
    stop: int = 0
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its file in the output; their names in order are the inputs' order."""
        return f"part-{self.index:06}.parquet"

    def to_json(self) -> str:
        """For the way to a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Part:
        """What `to_json` made."""
        fields = json.loads(text)
        return cls(**{**fields, "files": tuple(fields["files"])})


@dataclass(frozen=True)
class Plan:
    """The parts of a job, and whether its recordings have ids, labels and groups."""

    parts: list[Part]
    named: bool


def make(job: Job) -> Plan:
    """Cuts the inputs of `job` into parts."""
    check_carry(list(job.carry))
    for name, value in (("rows_per_part", job.rows_per_part), ("threads", job.threads)):
        if value < 1:
            raise SettingsError(f"{name} is refused", expected="1 or more", found=str(value))
    parts: list[Part] = []
    for url in job.inputs:
        for piece in _pieces(_storage.absolute(url), job):
            parts.append(Part(index=len(parts), **piece))
    return Plan(parts, named=any(part.kind != "files" for part in parts))


def _pieces(url: str, job: Job) -> Iterator[dict[str, Any]]:
    system, path = _storage.place(url)
    found, named = [path], True
    if any(sign in path for sign in "*?[") and not system.exists(path):
        found, named = sorted(system.glob(path)), False
    if not found or not system.exists(found[0]):
        raise FileError(
            f"no such file or folder: {url}",
            expected="a path that exists, or a pattern that one matches",
            found="nothing there",
        )
    files: list[str] = []
    for path in found:
        url = url if named else _url(system, path)
        if path.lower().endswith(_SHARDS):
            yield {"kind": "shard", "source": url}
        elif path.lower().endswith(".parquet"):
            manifests = [url]
            if system.isdir(path):
                manifests = [_url(system, p) for p in sorted(system.find(path)) if _is_data(p)]
            for manifest in manifests:
                yield from _rows(manifest, job)
        elif system.isdir(path):
            # By name within each folder, as the command line goes.
            below = sorted(system.find(path), key=lambda p: p.split("/"))
            files += [_url(system, p) for p in below if _is_audio(p)]
        else:
            files.append(url)
    for start in range(0, len(files), job.rows_per_part):
        yield {"kind": "files", "files": tuple(files[start : start + job.rows_per_part])}


def _url(system: Any, path: str) -> str:
    return _storage.absolute(system.unstrip_protocol(path))


def _is_audio(path: str) -> bool:
    name = path.rsplit("/", 1)[-1].lower()
    return "." in name and name.rsplit(".", 1)[-1] in AUDIO_EXTENSIONS


def _is_data(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".parquet") and not name.startswith(("_", "."))


def _rows(url: str, job: Job) -> Iterator[dict[str, Any]]:
    system, path = _storage.place(url)
    with system.open(path) as file:
        table = pq.ParquetFile(file)
        present, count = table.schema_arrow.names, table.metadata.num_rows
    needed = [job.columns.get("path", "path"), *job.columns.values(), *job.carry]
    for name in needed:
        if name not in present:
            raise SettingsError(
                f"{url} has no column {name!r}",
                expected=f"one of {', '.join(present)}",
                hint="--column path=NAME says where the paths are",
            )
    for start in range(0, count, job.rows_per_part):
        stop = min(start + job.rows_per_part, count)
        yield {"kind": "rows", "source": url, "start": start, "stop": stop}


def claim(job: Job, plan: Plan, model: dict[str, object]) -> list[Part]:
    """Makes the output this job's, and gives the parts that are not there yet.

    Raises:
        SettingsError: where the output is another job's.
    """
    about = {
        "wakegate": __version__,
        "schema": SCHEMA,
        "model": model,
        "columns": dict(job.columns),
        "carry": list(job.carry),
        "root": _storage.absolute(job.root) if job.root else None,
        "inputs": [_storage.absolute(url) for url in job.inputs],
        "parts": len(plan.parts),
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    sources: dict[str, object] = {}
    for part in plan.parts:
        digest.update(part.to_json().encode())
        if part.source and part.source not in sources:
            system, path = _storage.place(part.source)
            sources[part.source] = system.size(path)
    digest.update(json.dumps(sources, sort_keys=True).encode())
    run = {**about, "sha256": digest.hexdigest()}
    system, path = _storage.place(job.output)
    system.makedirs(path, exist_ok=True)
    if system.exists(f"{path}/{RUN_FILE}"):
        try:
            before = json.loads(system.cat_file(f"{path}/{RUN_FILE}"))
        except ValueError as error:
            raise SettingsError(f"cannot read {job.output}/{RUN_FILE}", found=str(error)) from error
        if before.get("sha256") != run["sha256"]:
            raise _another(job, before, run)
    else:
        with _storage.whole_file(job.output, RUN_FILE) as file:
            file.write(json.dumps(run, indent=1).encode())
    there = {name.rsplit("/", 1)[-1] for name in system.ls(path, detail=False)}
    return [part for part in plan.parts if part.name not in there]


def _another(job: Job, before: dict[str, object], run: dict[str, object]) -> Error:
    other = [key for key in run if key != "sha256" and before.get(key) != run[key]]
    return SettingsError(
        f"cannot go on in {job.output}",
        expected="the job that it was begun with",
        found=f"another {', '.join(other)}" if other else "inputs that changed",
        hint="give another --output, or delete this one to start over",
    )


def complete(job: Job, plan: Plan) -> None:
    """Checks that every part is there, and marks the output as complete."""
    system, path = _storage.place(job.output)
    there = {name.rsplit("/", 1)[-1] for name in system.ls(path, detail=False)}
    missing = [part.name for part in plan.parts if part.name not in there]
    if missing:
        raise FileError(
            f"{job.output} is not complete",
            expected=f"{len(plan.parts)} parts",
            found=f"{len(missing)} missing, the first {missing[0]}",
            hint="run the same command again",
        )
    for name in there:
        # What workers that were killed left behind.
        if name.startswith("_part-") and name.endswith(".part"):
            system.rm(f"{path}/{name}")
    with system.open(f"{path}/{SUCCESS_FILE}", "wb"):
        pass
