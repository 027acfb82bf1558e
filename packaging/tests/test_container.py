"""The container: its settings are ones that the program takes, and the compose files keep it locked up."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

CONTAINER = ROOT / "packaging" / "container"
COMPOSE = sorted(CONTAINER.glob("compose*.yaml"))


def taken(commands: Path, path: Path) -> None:
    done = subprocess.run([commands / "wakegate", "config", "check", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_settings_are_taken(commands: Path, tmp_path: Path) -> None:
    taken(commands, CONTAINER / "wakegate.toml")
    for path in COMPOSE:
        for name, config in yaml.safe_load(path.read_text()).get("configs", {}).items():
            settings = tmp_path / f"{path.stem}-{name}.toml"
            settings.write_text(config["content"])
            taken(commands, settings)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_it_is_locked_up(path: Path) -> None:
    described = yaml.safe_load(path.read_text())
    service = described["services"]["wakegate"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]
    assert service["ulimits"]["core"] == 0
    for volume in service["volumes"]:
        assert volume.split(":")[0] in described["volumes"]
    for config in service.get("configs", []):
        assert config["source"] in described["configs"]


def test_the_image_has_every_feature_but_sound_cards_and_man_pages() -> None:
    default = tomllib.loads((ROOT / "crates" / "wakegate-cli" / "Cargo.toml").read_text())["features"]["default"]
    wanted = set(default) - {"capture", "documents"}
    for path in (CONTAINER / "build.sh", ROOT / "packaging" / "release" / "image.sh"):
        told = re.findall(r"--no-default-features --features ([\w,]+)", path.read_text())
        assert told and all(set(features.split(",")) == wanted for features in told), path
    assert "*".join(sorted(wanted)) in (CONTAINER / "test.sh").read_text()


def test_the_image_runs_as_nobody_and_says_what_it_serves() -> None:
    text = (CONTAINER / "Containerfile").read_text()
    assert re.search(r"^USER 10400:10400$", text, re.M) and re.search(r"^EXPOSE 10400/tcp$", text, re.M)
    assert "FROM scratch" in text and "HEALTHCHECK" in text and "VOLUME /var/lib/wakegate" in text
