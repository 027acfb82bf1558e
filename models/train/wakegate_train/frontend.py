"""Log-mel frames by `wakegate features`, the front end that runs on the device, so that the two cannot drift apart."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

AT_ONCE = 300
"""Recordings of one command line."""


def features(binary: Path, paths: list[Path], *flags: object) -> dict[str, np.ndarray]:
    """Log-mel frames, float32 [frames, bands], of each recording by its path; `flags` give the settings."""
    found: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "features.npz"
        for first in range(0, len(paths), AT_ONCE):
            command = [binary, "features", *paths[first : first + AT_ONCE], *flags, "--output", out]
            run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            if run.returncode:
                raise SystemExit(f"wakegate features failed: {run.stderr}")
            with np.load(out) as archive:
                found |= {name: archive[name] for name in archive.files}
    return found
