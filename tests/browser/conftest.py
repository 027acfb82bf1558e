"""A page to open, a browser to open it with, and the operator who runs both."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CHROMIUM = shutil.which("chromium")
# Nothing that a browser does by itself: the test counts every request.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=user-gesture-required",
]  # fmt: skip


class Host:
    """The helper `tests/browser/host.rs`: one command a line, one answer a line."""

    def __init__(self):
        self.process = subprocess.Popen(
            [TARGET / "debug/examples/review_host"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the host ended at {words}"
        return json.loads(line)

    def store(self, name):
        """Puts a demo recording through pipeline, gate and queue; the clip's name."""
        stored = self("store", ROOT / "data" / f"{name}.flac")
        assert len(stored) == 1, f"{name}: expected one clip, found {stored}"
        return stored[0]

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0


@pytest.fixture
def host():
    host = Host()
    yield host
    host.end()


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("there is no chromium: expected Debian's (hint: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    # A development build on a busy machine takes its time.
    sync_api.expect.set_options(timeout=30_000)
    playwright = sync_api.sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()
    playwright.stop()


class Visit:
    """A reviewer's browser, with every request that it sent and every complaint that it made."""

    def __init__(self, browser, address, **options):
        self.address = address
        self.requests, self.complaints = [], []
        self.context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.context.new_page()
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def heard(self, message):
        # A browser writes every refused request to its console; the page shows those itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def end(self):
        outside = [url for url in self.requests if not url.startswith(f"http://{self.address}/")]
        self.context.close()
        assert not outside, f"requests to elsewhere: {outside}"
        assert not self.complaints, self.complaints


@pytest.fixture
def visit(chromium):
    """Makes visits, and holds each against the rule: no other host, no complaint."""
    visits = []

    def make(address, **options):
        visits.append(Visit(chromium, address, **options))
        return visits[-1]

    yield make
    for made in visits:
        made.end()
