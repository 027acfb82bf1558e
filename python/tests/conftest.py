"""What the tests share: the recordings of data/, and the command line to compare with."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import wakegate

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
BINARY = Path(os.environ.get("WAKEGATE", ROOT / "target" / "debug" / "wakegate"))


@pytest.fixture(scope="session")
def gate() -> wakegate.Gate:
    return wakegate.Gate.load()


@pytest.fixture(scope="session")
def recordings() -> list[Path]:
    found = sorted(DATA.glob("*.flac"))
    assert len(found) == 24
    return found


def run(*arguments: object, code: int = 0, **kwargs: object) -> bytes:
    """What the command line prints."""
    assert BINARY.exists(), f"expected the command line at {BINARY} (hint: cargo build, or WAKEGATE=PATH)"
    command = [str(BINARY), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DYLIB_PATH"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=300, **kwargs)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout


def lines(*arguments: object, code: int = 0, **kwargs: object) -> list[dict]:
    """The JSON lines that the command line prints, its 32-bit scores as such."""
    return [widened(json.loads(line)) for line in run(*arguments, code=code, **kwargs).splitlines()]


def widened(record: dict) -> dict:
    """A printed record with its scores as the 32-bit values that their shortest decimals mean."""
    import numpy as np

    for key in ("p_intended", "p_wake_word", "p_addressed"):
        if record[key] is not None:
            record[key] = float(np.float32(record[key]))
    return record


def same(found: list[dict], expected: list[dict]) -> None:
    """Equal values, bit for bit, under equal keys in equal order."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert list(ours.items()) == list(theirs.items())
