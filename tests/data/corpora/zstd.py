"""Writes the tables that are compressed with Zstandard: pip install polars pyarrow."""

import pathlib

import polars
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
rows = range(300)
polars.DataFrame(
    {
        "path": [f"clips/{row % 7}/a{row:04}.wav" for row in rows],
        "id": list(rows),
        "trigger_s": [None if row % 3 else row / 10 for row in rows],
        "label": ["intended" if row % 2 else "accidental" for row in rows],
    }
).write_parquet(HERE / "polars.parquet", row_group_size=128)
table = pq.read_table(HERE / "polars.parquet")
options = {"compression": "zstd", "data_page_version": "2.0", "data_page_size": 200, "use_dictionary": ["label"]}
pq.write_table(table, HERE / "zstd_v2.parquet", **options)
