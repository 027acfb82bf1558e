"""The text of a release comes from CHANGELOG.md, and a tag without it is refused."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

RELEASE = ROOT / "packaging" / "release"
# A workflow's own tag and owner are not those of the checkouts here.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "RELEASE_"))}
HEAD = "# Changelog\n\nWhat changed.\n\n"
OLDER = "## [0.1.0] - 2026-01-02\n\n### Added\n\n- The first one.\n"


@pytest.fixture
def notes(tmp_path: Path):
    """The script, in a checkout of version 0.2.0 with the changelog that is given."""
    there = tmp_path / "packaging" / "release"
    there.mkdir(parents=True)
    for name in ("common.sh", "notes.sh"):
        shutil.copy(RELEASE / name, there)
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "0.2.0"\n')

    def run(changelog: str, *words: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "CHANGELOG.md").write_text(HEAD + changelog + OLDER)
        return subprocess.run([there / "notes.sh", *words], env=ENVIRONMENT, capture_output=True, text=True)

    return run


def test_the_text_is_that_of_the_version_and_no_other(notes) -> None:
    done = notes("## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\nOne.\n\n### Fixed\n\n- Two.\n\n", "--tag", "v0.2.0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "One.\n\n### Fixed\n\n- Two.\n", "")
    # Without a tag it may be looked at before its day.
    done = notes("## [0.2.0] - unreleased\n\n- Two.\n\n")
    assert (done.returncode, done.stdout) == (0, "- Two.\n")


@pytest.mark.parametrize(
    ("changelog", "tag", "said"),
    [
        ("", "v0.2.0", "expected a section [0.2.0] with some text"),
        ("## [Unreleased]\n\n- Two.\n\n", "v0.2.0", "expected a section [0.2.0] with some text"),
        ("## [0.2.0] - 2026-12-01\n\n", "v0.2.0", "expected a section [0.2.0] with some text"),
        ("## [0.2.0-rc.1] - 2026-12-01\n\n- Two.\n\n", "v0.2.0", "expected a section [0.2.0] with some text"),
        ("## [0.2.0] - unreleased\n\n- Two.\n\n", "v0.2.0", 'YEAR-MONTH-DAY" in CHANGELOG.md, found "## [0.2.0] - unreleased"'),
        ("## [0.2.0]\n\n- Two.\n\n", "v0.2.0", 'found "## [0.2.0]"'),
        ("## [0.2.0] - 2026-12-01\n\n- Two.\n\n", "v0.3.0", "expected the tag v0.2.0, found v0.3.0"),
        ("## [0.2.0] - 2026-12-01\n\n- Two.\n\n", "main", "expected the tag v0.2.0, found main"),
        ("## [Unreleased]\n\n- Three.\n\n## [0.2.0] - 2026-12-01\n\n- Two.\n\n", "v0.2.0", "expected nothing under [Unreleased]"),
    ],
)
def test_a_tag_without_its_section_is_refused(notes, changelog: str, tag: str, said: str) -> None:
    done = notes(changelog, "--tag", tag)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and "(hint: RELEASING.md)" in done.stderr


def test_our_changelog_has_the_version_on_top_or_what_is_not_released_yet() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    headings = re.findall(r"^## .*", (ROOT / "CHANGELOG.md").read_text(), re.M)
    for heading in headings:
        assert re.fullmatch(r"## \[(Unreleased|\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2}|unreleased))\]?", heading), heading
    assert headings[0] == "## [Unreleased]" or headings[0].startswith(f"## [{version}] - ")
    assert any(heading.startswith(f"## [{version}] - ") for heading in headings)
    assert not any(heading.endswith("unreleased") for heading in headings[1:])


def test_a_release_with_every_file_and_its_text_is_drafted(notes, tmp_path: Path) -> None:
    changelog = "## [0.2.0] - 2026-12-01\n\n- Two.\n\n"
    notes(changelog)
    there = tmp_path / "packaging" / "release"
    for name in ("publish.sh", "checksums.sh"):
        shutil.copy(RELEASE / name, there)
    shutil.copytree(ROOT / "packaging" / "homeassistant", tmp_path / "packaging" / "homeassistant")

    def drafted() -> subprocess.CompletedProcess[str]:
        return subprocess.run([there / "publish.sh", "--dry-run"], env=ENVIRONMENT, capture_output=True, text=True)

    files = tmp_path / "target" / "release-files"
    for name in re.findall(r"^missing: (.*)", drafted().stderr, re.M):
        if kind := re.fullmatch("a wheel for (.*)", name):
            name = f"wakegate-0.2.0-cp310-abi3-{kind[1].replace('*', '11_0')}.whl"
        (files / name).write_text("made")
    subprocess.run([there / "checksums.sh"], env=ENVIRONMENT, capture_output=True, check=True)
    done = drafted()
    assert (done.returncode, done.stderr) == (0, "")
    assert "gh release create v0.2.0 --draft --title wakegate 0.2.0 --notes - Two. " in done.stdout
    for path in files.iterdir():
        assert str(path) in done.stdout, f"{path.name} is made and not published"
    # One that was changed after its sum was taken, and a text without its day.
    (files / "wakegate.cdx.json").write_text("changed")
    assert drafted().returncode == 1
    subprocess.run([there / "checksums.sh"], env=ENVIRONMENT, capture_output=True, check=True)
    notes(changelog.replace("2026-12-01", "unreleased"))
    assert drafted().returncode == 1


def test_the_workflow_asks_for_the_text_before_it_builds() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    first = min(workflow.index(f"run: packaging/release/{name}") for name in ("notices.sh", "binary.sh", "wheels.sh", "armv7.sh"))
    assert workflow.index('notes.sh --tag "$GITHUB_REF_NAME"') < first
    assert "notes.sh --tag" in (RELEASE / "publish.sh").read_text()
