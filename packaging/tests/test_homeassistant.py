"""The Home Assistant add-on: its description is one that the supervisor takes, and its script does what the options say."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

ADDON = ROOT / "packaging" / "homeassistant"
CONFIG = yaml.safe_load((ADDON / "config.yaml").read_text())
LANGUAGES = sorted((ADDON / "translations").glob("*.yaml"))

# The keys of an add-on's configuration that this one uses, as Home Assistant's developer documentation has them.
KEYS = {
    "name": str, "version": str, "slug": str, "description": str, "url": str, "image": str, "arch": list, "init": bool,
    "startup": str, "boot": str, "stage": str, "homeassistant": str, "discovery": list, "services": list, "watchdog": str,
    "map": list, "backup_exclude": list, "ports": dict, "ports_description": dict, "options": dict, "schema": dict,
}  # fmt: skip
ELEMENT = re.compile(
    r"(?:bool|email|url|port|device(?:\(\w+\))?|(?:str|int|float|password)(?:\((?P<low>[\d.]*),(?P<high>[\d.]*)\))?"
    r"|match\((?P<pattern>.*)\)|list\((?P<list>.+)\))\??"
)


def fits(value: object, element: object) -> bool:
    """Whether an option's value is one that the supervisor takes for the schema's element."""
    if isinstance(element, list):
        return isinstance(value, list) and all(fits(item, element[0]) for item in value)
    if isinstance(element, dict):
        needed = {key for key, kind in element.items() if isinstance(kind, str) and not kind.endswith("?")}
        return (
            isinstance(value, dict) and needed <= set(value) and all(fits(value[key], element[key]) for key in value)
        )
    found = ELEMENT.fullmatch(element)
    assert found, element
    kind = re.match(r"\w+", element)[0]
    if kind == "list":
        return value in found["list"].split("|")
    if kind == "match":
        return isinstance(value, str) and re.match(found["pattern"], value) is not None
    takes = {"bool": bool, "str": str, "int": int, "float": (int, float)}[kind]
    limits = found["low"] or "-inf", found["high"] or "inf"
    return isinstance(value, takes) and (kind in ("bool", "str") or float(limits[0]) <= value <= float(limits[1]))


def test_the_description_is_one_that_the_supervisor_takes() -> None:
    for key, value in CONFIG.items():
        assert isinstance(value, KEYS[key]), key
    assert set(CONFIG["arch"]) <= {"aarch64", "amd64"}
    assert CONFIG["discovery"] == ["wyoming"] and "10400/tcp" in CONFIG["ports"]
    assert set(CONFIG["ports"]) == set(CONFIG["ports_description"])
    assert CONFIG["startup"] in ("initialize", "system", "services", "application", "once")
    assert CONFIG["stage"] in ("stable", "experimental")
    assert set(CONFIG["arch"]) == set(yaml.safe_load((ADDON / "build.yaml").read_text())["build_from"])
    repository = yaml.safe_load((ROOT / "repository.yaml").read_text())
    assert set(repository) == {"name", "url", "maintainer"}


def test_the_defaults_fit_the_schema_and_nonsense_does_not() -> None:
    assert fits(CONFIG["options"], CONFIG["schema"])
    for wrong in ({"mode": "both"}, {"wake_words": ["../etc"]}, {"intended_at": 2}, {"upstream": "openwakeword"}):
        assert not fits(CONFIG["options"] | wrong, CONFIG["schema"]), wrong


def test_each_option_is_explained_in_each_language_and_in_the_manual() -> None:
    manual = (ADDON / "DOCS.md").read_text()
    assert len(LANGUAGES) >= 2
    for path in LANGUAGES:
        told = yaml.safe_load(path.read_text())
        assert set(told["configuration"]) == set(CONFIG["schema"]), path
        assert all(entry["name"] and entry["description"] for entry in told["configuration"].values()), path
        assert set(told["network"]) == set(CONFIG["ports"]), path
    for key in CONFIG["schema"]:
        assert f"`{key}`" in manual or f"\n{key}:" in manual, key


@pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
def test_the_pictures_have_their_sizes(name: str, size: tuple[int, int]) -> None:
    head = (ADDON / name).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:]) == size


def test_the_script_is_clean() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("there is no shellcheck")
    scripts = [path for path in (ROOT / "packaging").rglob("*.sh")]
    subprocess.run(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *scripts], check=True, cwd=ROOT)


class Supervisor:
    """Answers as the supervisor does, and keeps what it was told."""

    def __init__(self, broker: dict | None) -> None:
        told, self.told = [], []
        self.told = told

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.headers["Authorization"] == "Bearer token"
                found = self.path == "/services/mqtt" and broker is not None
                self.send_response(200 if found else 400)
                self.end_headers()
                self.wfile.write(json.dumps({"result": "ok", "data": broker}).encode() if found else b"{}")

            def do_POST(self) -> None:
                told.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


class Addon:
    """The script with options as the supervisor writes them."""

    def __init__(self, folder: Path, commands: Path, port: int) -> None:
        self.folder, self.port, self.broker = folder, port, None
        self.environment = os.environ | {
            "PATH": f"{commands}:{os.environ['PATH']}", "ADDON_DATA": str(folder), "ADDON_SHARE": str(folder / "share"),
            "ADDON_SSL": str(folder / "ssl"), "ADDON_MODELS": str(ROOT / "models"), "ADDON_PORT": str(port),
            "SUPERVISOR_TOKEN": "token",
        }  # fmt: skip

    def start(self, **options: object) -> subprocess.Popen:
        given = CONFIG["options"] | options
        assert fits(given, CONFIG["schema"]), given
        (self.folder / "options.json").write_text(json.dumps(given))
        self.supervisor = Supervisor(self.broker)
        return subprocess.Popen(
            [ADDON / "run.sh"], env=self.environment | {"ADDON_SUPERVISOR": self.supervisor.url}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, **options: object) -> dict:
        """Starts it, waits until Home Assistant was told, ends it; the settings it wrote."""
        running = self.start(**options)
        try:
            deadline = time.monotonic() + 60
            while not self.supervisor.told and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            assert running.poll() is None, running.stderr.read()
            assert self.supervisor.told, "Home Assistant was not told"
            self.words = self.describe()
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            self.said = running.communicate(timeout=30)[1]
        return tomllib.loads((self.folder / "wakegate.toml").read_text())

    def describe(self) -> list[str]:
        """The wake words that it offers its clients."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client, client.makefile("rwb") as stream:
            stream.write(b'{"type": "describe"}\n')
            stream.flush()
            head = json.loads(stream.readline())
            if head["type"] == "error":
                return []
            data = head.get("data") or json.loads(stream.read(head["data_length"]))
            return [model["name"] for program in data["wake"] for model in program["models"]]


@pytest.fixture
def addon(tmp_path: Path, commands: Path, free_port: int) -> Iterator[Addon]:
    for tool in ("jq", "curl"):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool}")
    yield Addon(tmp_path, commands, free_port)


def test_the_defaults_serve_and_home_assistant_is_told(addon: Addon) -> None:
    settings = addon.run()
    assert addon.words == ["alexa"]
    host = socket.gethostname()
    told = {"service": "wyoming", "config": {"uri": f"tcp://{host}:{addon.port}"}}
    assert addon.supervisor.told == [("/discovery", told)]
    assert settings["wyoming"]["listen"] == f"tcp://0.0.0.0:{addon.port}" and not settings["audio"]["enabled"]
    assert settings["wyoming"]["detect"] == "verdict"
    assert settings["wake_word"] == [{}], "the default is the package in the binary, not another of the word beside it"
    assert "mqtt" not in settings and not settings["review"]["enabled"]
    assert "no MQTT broker is announced" in addon.said


def test_words_thresholds_and_a_package_of_ones_own(addon: Addon) -> None:
    own = addon.folder / "share" / "wakegate" / "marvin"
    shutil.copytree(next((ROOT / "models").glob("jarvis-*")), own)
    settings = addon.run(wake_words=["alexa", "computer", "marvin"], intended_at=0.9, spotter_threshold=1 / 512)
    assert set(addon.words) == {"alexa", "computer", "jarvis"}
    assert [word.get("model") for word in settings["wake_word"]][2] == str(own)
    assert all(word["intended_at"] == 0.9 for word in settings["wake_word"])


@pytest.mark.parametrize("written", ["okay nabu", "okay_nabu", "okay-nabu"])
def test_a_word_of_several_parts_is_found_however_it_is_written(addon: Addon, written: str) -> None:
    own = addon.folder / "share" / "wakegate" / "okay-nabu"
    shutil.copytree(next((ROOT / "models").glob("jarvis-*")), own)
    settings = addon.run(wake_words=[written])
    assert [word["model"] for word in settings["wake_word"]] == [str(own)]


def test_in_front_of_another_engine(addon: Addon) -> None:
    settings = addon.run(mode="verifier", upstream="tcp://127.0.0.1:9", upstream_lag_ms=200, detect="word")
    assert settings["wyoming"]["detect"] == "word"
    assert settings["wyoming"]["upstream"] == "tcp://127.0.0.1:9" and settings["wyoming"]["upstream_lag_ms"] == 200


def test_the_broker_that_the_supervisor_names(addon: Addon) -> None:
    addon.broker = {"host": "core-mosquitto", "port": 1883, "username": "addons", "password": 'p"a\\ss\u00e9'}
    settings = addon.run()
    password = addon.folder / "mqtt-password"
    assert settings["mqtt"] == {
        "broker": "core-mosquitto:1883", "username": "addons", "password_file": str(password),
    }  # fmt: skip
    assert password.read_text() == addon.broker["password"] and password.stat().st_mode & 0o777 == 0o600


def test_consent_makes_the_queue_and_its_end_wipes_it(addon: Addon, commands: Path) -> None:
    addon.run(review={"enabled": True})
    assert "nothing is kept" in addon.said and not (addon.folder / "review").exists()
    settings = addon.run(review={"enabled": True, "consent_by": 'Ada "A." Owner', "retention_days": 3})
    assert settings["review"]["enabled"] and settings["review"]["retention_days"] == 3

    def status() -> str:
        command = [commands / "wakegate", "review", "--config", addon.folder / "wakegate.toml", "status"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert 'Ada "A." Owner' in status()
    settings = addon.run(review={"enabled": True, "consent_by": ""})
    assert not settings["review"]["enabled"] and "Ada" not in status()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"wake_words": ["marvin"]}, 'no model for "marvin"'),
        ({"wake_words": []}, "no wake word is chosen"),
        ({"mode": "verifier"}, 'needs "upstream"'),
    ],
)
def test_what_cannot_be_is_refused(addon: Addon, options: dict, said: str) -> None:
    running = addon.start(**options)
    assert said in running.communicate(timeout=30)[1] and running.returncode == 2
    assert not (addon.folder / "wakegate.toml").exists()
