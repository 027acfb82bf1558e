"""Writes manifest.parquet: what pyarrow makes of a small table, with its own defaults (Snappy,
dictionaries) and two row groups. Needs pyarrow."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table(
    {
        "file": ["a.wav", "b.wav", None, "c.wav"],
        "utt": pa.array([1, 2, 3, 4], pa.int32()),
        "trigger": [0.5, None, 1.0, float("inf")],
        "speaker": pa.array(["s1", "s1", "s2", None]).dictionary_encode(),
        "loud": [True, False, None, True],
        "gain": pa.array([0.1, 0.2, 0.3, 0.4], pa.float32()),
        "samples": pa.array([[0.0], [1.0, 2.0], [], None], pa.list_(pa.float32())),
        "when": pa.array([0, 1, 2, 3], pa.timestamp("ms")),
    }
)
pq.write_table(table, pathlib.Path(__file__).parent / "manifest.parquet", row_group_size=3)
