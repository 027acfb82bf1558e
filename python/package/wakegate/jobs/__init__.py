"""Corpora on a cluster: `python -m wakegate.jobs.ray` and `python -m wakegate.jobs.spark`.

Both cut the inputs into parts in an order that is always the same, score each part on a worker,
and write it as one Parquet file that appears when it is whole. A part that is there is not scored
again: a retry, a second attempt or a second run never doubles or loses a row.
"""

from wakegate.jobs._job import Job, Summary

__all__ = ["Job", "Summary"]
