"""The alert rules and the dashboard speak of metrics that the daemon really has."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

MONITORING = ROOT / "packaging" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())


def expressions() -> list[str]:
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in RULES] + asked + [v["query"]["query"] for v in DASHBOARD["templating"]["list"][1:]]


@pytest.fixture(scope="module")
def page(commands: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page for Prometheus of a daemon with everything on."""
    folder = tmp_path_factory.mktemp("daemon")
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        metrics, wyoming = one.getsockname()[1], two.getsockname()[1]
    settings = folder / "wakegate.toml"
    settings.write_text(
        f'[audio]\ndevice = "-"\n[metrics]\nlisten = "127.0.0.1:{metrics}"\n'
        f'[wyoming]\nlisten = "tcp://127.0.0.1:{wyoming}"\n[hooks]\non_intended = "true"\n'
        f'[review]\nenabled = true\ndirectory = "{folder}/queue"\n'
    )
    wakegate = [commands / "wakegate"]
    subprocess.run([*wakegate, "review", "--config", settings, "consent", "--by", "Ada"], check=True, capture_output=True)
    daemon = subprocess.Popen([*wakegate, "listen", "--config", settings], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
                if "wakegate_wyoming_clients" in text and "wakegate_verdicts_total{" in text:
                    return text
            except OSError:
                assert daemon.poll() is None, daemon.stderr.read().decode()
            time.sleep(0.1)
        pytest.fail("the daemon's page is not whole")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)


def test_every_metric_that_is_asked_for_exists(page: str) -> None:
    there = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
    for expression in expressions():
        for name in re.findall(r"wakegate_\w+", expression):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in there or family in there, f"{name} in {expression}"


def test_every_label_that_is_asked_for_exists(page: str) -> None:
    labels = {label for line in page.splitlines() for label in re.findall(r'(\w+)="', line)} | {"instance", "job", "le"}
    labels |= {"receiver", "reason"}
    for expression in expressions():
        used = set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', expression))
        for names in re.findall(r"by \(([^)]*)\)", expression):
            used |= set(re.split(r",\s*", names))
        assert used <= labels, expression


def test_each_alert_says_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith("."), rule["alert"]
    if not shutil.which("promtool"):
        pytest.skip("there is no promtool")
    subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yaml"], check=True, capture_output=True)
