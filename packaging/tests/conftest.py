"""What the tests of the packaging share: the checkout, the program, and a folder of commands to run it by."""

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("WAKEGATE", ROOT / "target" / "debug" / "wakegate"))


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the program in it."""
    assert BINARY.exists(), f"expected the program at {BINARY} (hint: cargo build, or WAKEGATE=PATH)"
    folder = tmp_path_factory.mktemp("bin")
    (folder / "wakegate").symlink_to(BINARY)
    return folder


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
