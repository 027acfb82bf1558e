"""The crates as they are published: each has what its sources need, and knows the commit it was packed from."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

CRATES = {"wakegate": ROOT} | {name: ROOT / "crates" / name for name in ("wakegate-lab", "wakegate-cli")}
# The package that the library holds.
MODEL = re.findall(r"models/[\w-]+", (ROOT / "src/model/package.rs").read_text())[0]
# What a crate may hold beside sources; anything else has come in by mistake.
TAKEN = re.compile(
    rf"src/.*|build\.rs|examples/\w+\.rs|{MODEL}/[\w.]+|[\w-]+\.md|docs/embedding\.md"
    r"|Cargo\.\S+|LICENSE|\.cargo_vcs_info\.json"
)


@pytest.mark.parametrize("crate", CRATES)
def test_a_crate_holds_what_its_sources_include_and_nothing_else(crate: str) -> None:
    command = ["cargo", "package", "--list", "--offline", "--allow-dirty", "--package", crate]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"LICENSE", "Cargo.lock"} <= set(listed)
    assert [name for name in listed if not TAKEN.fullmatch(name)] == []
    folder, included = CRATES[crate], 0
    for name in (name for name in listed if name.endswith(".rs")):
        for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', (folder / name).read_text()):
            included += 1
            there = os.path.normpath(Path(name).parent / path)
            assert there in listed, f"{name} includes {path}, which is not in the crate"
    assert included or crate == "wakegate-lab"


@pytest.fixture(scope="module")
def build_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("build") / "build-script"
    source = CRATES["wakegate-cli"] / "build.rs"
    subprocess.run(["rustc", "--edition", "2024", "-o", made, source], check=True)
    return made


def commit(build_script: Path, folder: Path) -> str:
    """The commit that a release build in this folder would have."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "WAKEGATE_"))}
    environment |= {"PROFILE": "release", "TARGET": "here"}
    said = subprocess.run([build_script], cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    return re.search(r"^cargo:rustc-env=WAKEGATE_COMMIT=(.*)$", said, re.M)[1]


def repository(folder: Path) -> str:
    """Makes the folder one; its commit."""
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-C", folder]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "--allow-empty", "-m", "One"]):
        subprocess.run([*git, *words], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def test_the_version_names_our_commit_and_no_other(build_script: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours" / "crates" / "wakegate-cli"
    ours.mkdir(parents=True)
    assert commit(build_script, ours) == "unknown"
    (ours / "Cargo.toml").touch()
    head = repository(tmp_path / "ours")
    assert head.startswith(commit(build_script, ours)) and len(commit(build_script, ours)) >= 7
    (ours / "Cargo.toml").write_text("changed")
    assert commit(build_script, ours).endswith("-dirty")

    # A home folder that is a repository, with Cargo's registry in it.
    crate = tmp_path / "home" / ".cargo" / "registry" / "wakegate-cli-0.1.0"
    crate.mkdir(parents=True)
    repository(tmp_path / "home")
    assert commit(build_script, crate) == "unknown"
    packed = {"git": {"sha1": "0123456789abcdef"}, "path_in_vcs": "crates/wakegate-cli"}
    (crate / ".cargo_vcs_info.json").write_text(json.dumps(packed, indent=2))
    assert commit(build_script, crate) == "0123456"
    packed["git"]["dirty"] = True
    (crate / ".cargo_vcs_info.json").write_text(json.dumps(packed, indent=2))
    assert commit(build_script, crate) == "0123456-dirty"


def test_a_tree_without_git_is_told_the_commit_and_publishes_in_the_profile_of_the_release() -> None:
    script = (ROOT / "packaging" / "arm" / "build.sh").read_text()
    assert "export WAKEGATE_COMMIT" in script
    # A quicker profile is for tests alone, and what is published is built without them.
    assert re.search(r'if \[ "\$with_tests" = yes \]; then\n[^}]*?CARGO_PROFILE_RELEASE_LTO=off', script)
    assert "build.sh --no-tests --deb" in (ROOT / "packaging" / "release" / "armv7.sh").read_text()


def test_what_a_foreign_tree_needs_is_there_before_anything_is_compiled() -> None:
    script = (ROOT / "packaging" / "arm" / "build.sh").read_text()
    [prepared] = re.findall(r"^prepare\(\) \{\n(.*?)^\}", script, re.M | re.S)
    for needed in re.search(r"apt-get install -y -qq (.*)$", prepared, re.M)[1].split():
        # Where one of them is missing, all are installed.
        assert f"! command -v {needed} " in prepared or f"/{needed}.gpg" in prepared, needed
    assert "command -v arch-test" in prepared


def test_a_draft_misses_every_file_that_the_workflow_makes(tmp_path: Path) -> None:
    def missing() -> str:
        command = [ROOT / "packaging" / "release" / "publish.sh", "--dry-run"]
        done = subprocess.run(command, env=os.environ | {"RELEASE_FILES": str(tmp_path)}, capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr

    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    said = missing()
    for made in jobs["wheels"]["strategy"]["matrix"]["include"]:
        processor = made["target"].split("-")[0]
        system = made["compatibility"] if made["compatibility"] != "off" else "macosx_*"
        processor = "arm64" if (system, processor) == ("macosx_*", "aarch64") else processor
        assert f"missing: a wheel for {system}_{processor}\n" in said, made
    for made in jobs["binaries"]["strategy"]["matrix"]["include"]:
        assert f"_{made['arch']}.deb" in said and f"{made['target']}.tar.gz" in said and f"-{made['arch']}.image.tar" in said
    version = re.search(r"missing: wakegate-([\d.]+)-x86_64-", said)[1]
    (tmp_path / f"wakegate-{version}-cp310-abi3-macosx_11_0_arm64.whl").write_text("a wheel")
    assert "macosx_*_arm64" not in missing() and "macosx_*_x86_64" in missing()
