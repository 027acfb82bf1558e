"""The pages: links lead somewhere, figures come from their one place, pictures show the pages as they are."""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

PAGES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]
README = (ROOT / "README.md").read_text()
MANIFESTS = ["Cargo.toml", "crates/wakegate-lab/Cargo.toml", "crates/wakegate-cli/Cargo.toml", "python/Cargo.toml"]
FENCED = re.compile(r"^( *)```.*?^\1```", re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*)$", FENCED.sub("", page.read_text()), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text.replace("`", "")).replace(" ", "-")
        number = 1
        while (name := slug if number == 1 else f"{slug}-{number - 1}") in found:
            number += 1
        found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_merge_was_left_half_done(page: Path) -> None:
    assert not re.findall(r"^(?:<{7}|>{7}) .*", page.read_text(), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text()))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{link} leads nowhere"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{link}: there is no such heading"


def test_the_readme_shows_the_model_that_is_shipped() -> None:
    shown = set(re.findall(r"models/([a-z]+-\d+)/(?:REPORT\.md|MODEL_CARD\.md|det\.)", README))
    included = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["include"]
    assert shown == {path.split("/")[2] for path in included if path.startswith("/models/")}


def test_the_figures_are_those_of_the_report() -> None:
    pytest.importorskip("scipy")
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    figures = sys.modules["figures"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    for path, text in figures.pages().items():
        assert path.read_text() == text, f"{path.name} has stale figures (hint: docs/figures.py --write)"


def test_the_readme_is_short_and_shows_the_product_first() -> None:
    lines = README.splitlines()
    assert len(lines) < 200
    assert any("docs/images/" in line for line in lines[:12])
    assert README.index("## Install") < README.index("## Try it") < README.index("## How good it is")


def test_the_readmes_demo_and_example_are_what_the_program_prints(commands: Path) -> None:
    wakegate = commands / "wakegate"
    demo = subprocess.run([wakegate, "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # Figures of another processor may differ in the last digit.
    printed = [re.sub(r" [01]\.\d{3}", "", line) for line in demo.splitlines()]
    shown = README.split("$ make demo\n")[1].split("```")[0].rstrip("\n").splitlines()
    assert len(shown) > 6
    for line in shown:
        assert re.sub(r" [01]\.\d{3}", "", line) in printed, line
    example = json.loads(re.search(r"```json\n(.*)\n```", README)[1])
    scored = subprocess.run([wakegate, "score", example["path"]], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(scored.stdout)
    assert list(found) == list(example)
    for key, value in example.items():
        assert found[key] == (pytest.approx(value, abs=1e-4) if isinstance(value, float) else value), key


def test_the_pictures_show_the_pages_as_they_are() -> None:
    folder = ROOT / "docs" / "images"
    shown = {path.name for path in folder.glob("*.png")}
    told = set(re.findall(r"images/([\w-]+\.png)", "".join(page.read_text() for page in PAGES)))
    assert shown == told, "a picture that no page shows, or a page without its picture"
    program, digest = ROOT / "crates" / "wakegate-cli" / "src", hashlib.sha256()
    for path in sorted([*program.rglob("assets/*"), *program.rglob("report/style.css")], key=lambda path: path.name):
        digest.update(path.read_bytes())
    kept = (folder / "pages.sha256").read_text().strip()
    assert digest.hexdigest() == kept, "the pages were changed since (hint: make screenshots)"


def test_one_version_everywhere() -> None:
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    version = cargo["workspace"]["package"]["version"]
    assert yaml.safe_load((ROOT / "packaging" / "homeassistant" / "config.yaml").read_text())["version"] == version
    for path in [*(ROOT / "packaging" / "container").glob("compose*.yaml"), ROOT / "README.md"]:
        found = set(re.findall(r"(?:wakegate:|wakegate_|wakegate-)(\d+\.\d+\.\d+)", path.read_text()))
        assert found <= {version}, path


def test_licences_are_admitted_in_one_list() -> None:
    about = tomllib.loads((ROOT / "packaging" / "release" / "about.toml").read_text())
    licences = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]
    assert about["accepted"] == licences["allow"]
    # What embeds our weights has their licence too, and an exception for it in both lists.
    weights = "CC-BY-SA-4.0"
    manifests = [tomllib.loads((ROOT / path).read_text()) for path in MANIFESTS]
    ours = {found["package"]["name"] for found in manifests if weights in found["package"]["license"]}
    assert {name for name, entry in about.items() if isinstance(entry, dict) and weights in entry["accepted"]} == ours
    assert {entry["crate"] for entry in licences["exceptions"] if weights in entry["allow"]} == ours


def test_every_crate_brings_its_licence() -> None:
    for path in MANIFESTS:
        assert ((ROOT / path).parent / "LICENSE").read_text() == (ROOT / "LICENSE").read_text(), path


def test_every_test_that_a_page_names_is_there() -> None:
    there = {path.stem for path in (ROOT / "tests").rglob("*.rs")}
    there |= {f"{path.parent.name}::{path.stem}" for path in (ROOT / "src").rglob("*.rs")}
    named = 0
    for page in (ROOT / "docs").glob("*.md"):
        cells: list[str] = re.findall(r"the test that shows it: .*?\n\n", page.read_text(), re.S)
        column = None
        for line in page.read_text().splitlines():
            row = [cell.strip() for cell in line.strip("| ").split(" | ")] if line.startswith("|") else []
            if column is None:
                column = next((i for i, name in enumerate(row) if name in ("test", "checked by")), None)
            elif not row:
                column = None
            else:
                cells.append(row[column] if column < len(row) else "")
        for name in re.findall(r"`([a-z]+(?:_[a-z]+)+|review::[a-z]+)`", " ".join(cells)):
            named += 1
            assert name in there, f"{page.name}: {name}"
    assert named > 30


SCRIPTS = sorted((ROOT / "packaging" / "release").glob("*.sh"))


def usage(script: Path) -> str:
    """What a script says that it takes, behind its name."""
    found = re.search(rf"^#   [\w/.]+{re.escape(script.name)} (.*?)(?:   .*)?$", script.read_text(), re.M)
    return found[1] if found else ""


def takes(script: Path, given: list[str]) -> None:
    """Fails where the script would not take these arguments."""
    said = usage(script)
    needed = re.sub(r"\[.*\]", "", said).split()
    plain = [word for word in given if not word.startswith("--")]
    for option in (word for word in given if word.startswith("--")):
        assert option in re.findall(r"--[a-z-]+", said), f"{script.name} has no {option}"
        plain = plain[: -1 if re.search(rf"{option} [A-Z]", said) else None]
    several = needed and needed[-1].endswith("...")
    assert len(plain) == len(needed) or (several and len(plain) > len(needed)), f"{script.name} takes {said!r}, not {given}"
    for word, choice in zip(plain, needed, strict=False):
        if "|" in choice:
            assert word in choice.split("|"), f"{script.name} takes {choice}, not {word}"


def test_workflows_call_scripts_that_are_there_with_what_they_take() -> None:
    called = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        described = yaml.safe_load(path.read_text())
        for name, job in described["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            assert set(needs) <= set(described["jobs"]), f"{path.name}: {name} needs {needs}"
            for values in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
                for step in job["steps"]:
                    run = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: values[found[1]], step.get("run", ""))
                    assert "${{" not in run, f"{path.name}: {run}"
                    for command in re.split(r"&&|\n", run):
                        words = command.replace("sudo ", "").split()
                        if not words or not re.match(r"(?:packaging|\.ci)/", words[0]):
                            continue
                        script = ROOT / words[0]
                        assert script.is_file() and script.stat().st_mode & 0o100, f"{path.name}: {script}"
                        called.add(script.name)
                        takes(script, words[1:])
    # Neither is a script forgotten, nor one told of that is not there.
    manual, scripts = (ROOT / "RELEASING.md").read_text(), "".join(path.read_text() for path in SCRIPTS)
    for script in SCRIPTS:
        assert script.name in called or f"/{script.name}" in scripts, f"nothing runs {script.name}"
    for named in re.findall(r"`([a-z0-9-]+\.sh)", manual):
        assert (ROOT / "packaging" / "release" / named).is_file(), named


def test_a_speakers_build_is_the_same_everywhere() -> None:
    release = ROOT / "packaging" / "release"
    [command] = re.findall(r"^ *(cargo rustc --profile speaker .*) --target", (release / "binary.sh").read_text(), re.M)
    assert f"$ {command} " in (ROOT / "docs" / "operators.md").read_text(), "as the manual says it"
    # What the command names is there.
    program = tomllib.loads((ROOT / "crates" / "wakegate-cli" / "Cargo.toml").read_text())
    assert set(re.search(r"--features (\S+)", command)[1].split(",")) < set(program["features"]["default"])
    assert tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["speaker"]["inherits"] == "release"
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "binary.sh ${{ matrix.target }} --speaker" in workflow
    for target in re.findall(r"target: (\S+-gnu), arch", workflow):
        published = re.findall(r"for target in ([^;]*); do wanted.*wakegate-speaker", (release / "publish.sh").read_text())
        assert target in " ".join(published).split(), f"{target} is built and not published"


def test_artefacts_of_workflows_come_from_jobs_before() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        for name, job in jobs.items():
            for step in job["steps"]:
                wanted = step.get("with", {}).get("name")
                if step.get("uses", "").startswith("actions/download-artifact") and wanted:
                    makers = [
                        other for other, found in jobs.items() for made in found["steps"]
                        if made.get("uses", "").startswith("actions/upload-artifact") and made["with"]["name"] == wanted
                    ]  # fmt: skip
                    assert makers and set(makers) <= set(job["needs"].split()), f"{name}: {wanted}"
