"""The cards begin with what model hubs read, and it agrees with the package."""

import tomllib
from pathlib import Path

import pytest
from wakegate_train import card

MODELS = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/MODEL_CARD.md")), ids=lambda path: path.parent.name)
def test_the_header_is_that_of_the_recipe(path: Path) -> None:
    manifest = tomllib.loads(path.with_name("manifest.toml").read_text())
    header = card.HEADER.format(licence=manifest["licence"].lower())
    title = f"# {manifest['name']}-{manifest['version']}\n"
    assert path.read_text().startswith(header + title)
