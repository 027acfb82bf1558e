"""What a job is to do, and what came of it."""

from __future__ import annotations

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wakegate import Error, SettingsError


@dataclass(frozen=True, kw_only=True)
class Job:
    """A corpus to score.

    Attributes:
        inputs: Parquet manifests (files, or folders that end in .parquet), tar shards (.tar,
            .tar.gz, .tgz), zip archives, folders of recordings, or patterns of these; each a
            local path or a URL of fsspec (s3://, gs://, abfs://, hdfs://).
        output: the folder for the Parquet files.
        model: folder of a model package, local or a URL; the model in the wheel for None.
        columns: which columns mean what: path, id, trigger_s, label, group.
        carry: further columns to carry through, as text.
        root: what relative paths in manifests start at; the working folder for None.
        rows_per_part: recordings of a manifest or folder in one part. A shard is one part.
        threads: threads that score one part.
        attempts: how often a part is tried on one worker where storage fails.
    """

    inputs: Sequence[str]
    output: str
    model: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    carry: Sequence[str] = ()
    root: str | None = None
    rows_per_part: int = 1000
    threads: int = 1
    attempts: int = 3


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        parts: parts of the whole job; `done_before` of them are from an earlier run.
        rows: recordings of this run; `failed` of them have an error.
        audio_s: seconds of audio of this run.
        work_s: seconds that the workers spent on it, added up.
        verdicts: how many of this run are intended, accidental, unsure.
    """

    parts: int = 0
    done_before: int = 0
    rows: int = 0
    failed: int = 0
    audio_s: float = 0.0
    work_s: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, part: Mapping[str, float]) -> None:
        """Adds what a worker says of a part."""
        self.rows += int(part["rows"])
        self.failed += int(part["failed"])
        self.audio_s += float(part["audio_s"])
        self.work_s += float(part["work_s"])
        for verdict in ("intended", "accidental", "unsure"):
            self.verdicts[verdict] += int(part[verdict])

    def __str__(self) -> str:
        verdicts = ", ".join(
            f"{self.verdicts[v]} {v}" for v in ("intended", "accidental", "unsure")
        )
        text = (
            f"{self.rows - self.failed} recordings scored, {self.audio_s / 3600:.2f} h of audio: "
            f"{verdicts}; {self.failed} failed\n{self.parts} parts"
        )
        if self.done_before:
            text += f", {self.done_before} of them done before"
        if self.work_s:
            speed = self.audio_s / self.work_s
            text += f"; {self.work_s:.1f} s of work, {speed:.0f} times real time a worker"
        return text


_INPUT = "Parquet manifests, tar shards, folders of recordings, or patterns; local or fsspec URLs"
_COLUMN = "which columns mean what: path, id, trigger_s, label, group"


def _default(value: object) -> str:
    return f"[default: {value}]"


def parser(engine: str) -> argparse.ArgumentParser:
    """The options that both engines have."""
    made = argparse.ArgumentParser(
        prog=f"python -m wakegate.jobs.{engine.lower()}",
        description=f"Score a corpus on {engine}. A run that was ended goes on where it was.",
        epilog="Exit code: 0 all scored, 1 some could not be scored, 2 could not run.",
    )
    add = made.add_argument
    add("--input", nargs="+", required=True, metavar="URL", help=_INPUT)
    add("--output", required=True, metavar="URL", help="folder for the Parquet files")
    add("--model", metavar="URL", help=f"folder of a model package {_default('the one in the wheel')}")
    add("--column", default="", metavar="MEANING=NAME,...", help=_COLUMN)
    add("--carry", default="", metavar="NAME,...", help="further columns to carry through")
    add("--root", metavar="URL", help=f"where relative paths start {_default('the working folder')}")
    number = functools.partial(made.add_argument, type=int, metavar="N")
    number("--rows-per-part", default=1000, help=f"recordings in one part {_default(1000)}")
    number("--threads", default=1, help=f"threads, and so cores, of one worker {_default(1)}")
    return made


def job_of(options: argparse.Namespace) -> Job:
    """The job that the command line asks for."""
    pairs = [pair for pair in options.column.split(",") if pair]
    columns = dict(pair.partition("=")[::2] for pair in pairs)
    if len(columns) != len(pairs):
        raise SettingsError(
            "a column is refused", expected="each meaning once", found=options.column
        )
    return Job(
        inputs=options.input,
        output=options.output,
        model=options.model,
        columns=columns,
        carry=[name for name in options.carry.split(",") if name],
        root=options.root,
        rows_per_part=options.rows_per_part,
        threads=options.threads,
    )


def main(run: Callable[[], Summary]) -> int:
    """Runs a job and says on stderr what came of it; the exit code."""
    try:
        summary = run()
    except Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(summary, file=sys.stderr)
    return 1 if summary.failed else 0
