"""Scores as Arrow tables: the columns, types and metadata of `wakegate score --output`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from wakegate import SCHEMA, Score
from wakegate._wakegate import json_text

_NAMES = ("id", "label", "group")
_COLUMNS = (
    ("audio_s", pa.float64()),
    ("verdict", pa.string()),
    ("reason", pa.string()),
    ("p_intended", pa.float64()),
    ("p_wake_word", pa.float64()),
    ("p_addressed", pa.float64()),
    ("wake_word", pa.string()),
    ("start_s", pa.float64()),
    ("end_s", pa.float64()),
    ("decided_s", pa.float64()),
    ("word_decided_s", pa.float64()),
    ("model", pa.string()),
    ("schema", pa.int64()),
    ("error", pa.string()),
)


def schema(named: bool, carry: Sequence[str]) -> pa.Schema:
    """The columns of scores; `named` with ids, labels and groups."""
    fields = [("path", pa.string())]
    fields += [(name, pa.string()) for name in _NAMES if named]
    fields += [*_COLUMNS, ("warnings", pa.string())]
    fields += [(name, pa.string()) for name in carry]
    metadata = {"wakegate.schema_version": str(SCHEMA), "wakegate.rows": "recordings"}
    return pa.schema(fields, metadata=metadata)


def of_scores(scores: Iterable[Score], carry: Sequence[str], named: bool = True) -> pa.Table:
    """A row for each score, in their order."""
    rows = []
    for score in scores:
        row: dict[str, object] = {"path": score.path}
        row |= {name: getattr(score, name) for name in _NAMES if named}
        row |= {name: getattr(score, name) for name, _ in _COLUMNS}
        row["warnings"] = "; ".join(score.warnings) or None
        row |= {name: json_text(score.carried.get(name)) for name in carry}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema(named, carry))
