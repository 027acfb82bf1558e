"""A corpus on Spark: `spark-submit` this file, or `python -m wakegate.jobs.spark --input ...`.

Each part is a task that `mapInArrow` runs in a Python worker. A worker or executor that dies takes
its tasks with it, which Spark runs again, up to spark.task.maxFailures times.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
from pyspark.sql import SparkSession

from wakegate.jobs import _work
from wakegate.jobs._job import Job, Summary, job_of, main, parser
from wakegate.jobs._run import Worker
from wakegate.jobs._run import run as run_on


def run(job: Job, *, spark: SparkSession | None = None) -> Summary:
    """Scores a corpus in Spark's tasks.

    Args:
        job: what to score, and where to; spark.task.cpus should be `job.threads`.
        spark: the session; the one that is active, or a new one, for None. Not of Spark Connect.

    Raises:
        wakegate.Error: for inputs that can't be, or an output that is another job's.
        pyspark.errors.PySparkException: where a part fails again and again.
    """
    session = spark or SparkSession.builder.appName("wakegate").getOrCreate()

    def engine(worker: Worker, parts: list[str]) -> Iterable[Mapping[str, float]]:
        rows = session.sparkContext.parallelize([(part,) for part in parts], len(parts))
        frame = session.createDataFrame(rows, "part string")

        def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            kinds = {"int": pa.int32(), "double": pa.float64()}
            fields = [field.split() for field in _work.REPORT.split(", ")]
            schema = pa.schema([(name, kinds[kind]) for name, kind in fields])
            for batch in batches:
                for part in batch.column("part").to_pylist():
                    yield pa.RecordBatch.from_pylist([worker.score(part)], schema=schema)

        reports = frame.mapInArrow(score, _work.REPORT)
        return [row.asDict() for row in reports.collect()]

    return run_on(job, engine)


def _main() -> int:
    options = parser("Spark")
    master = "cluster to use [default: as spark-submit says, or this machine]"
    options.add_argument("--master", metavar="URL", help=master)
    given = options.parse_args()
    builder = SparkSession.builder.appName("wakegate")
    if given.master:
        builder = builder.master(given.master)
    spark = builder.getOrCreate()
    try:
        return main(lambda: run(job_of(given), spark=spark))
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(_main())
