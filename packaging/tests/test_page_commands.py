"""The commands that the pages tell readers to run: the program has them, with these options; make and Cargo know the rest."""

import functools
import re
import subprocess
import tomllib
from pathlib import Path

from conftest import ROOT
from test_pages import FENCED, PAGES

NAMED = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*(?:sudo (?:-u \w+ )?)?(?:[\w./]*/)?wakegate(?= |$)(.*)$")
MADE = re.compile(r"^(?:\$ )?make ([a-z][a-z-]*)")
"""What begins with the name of the program, or with make."""


def told(page: Path) -> list[str]:
    """Every command that a page may tell of: lines of its blocks and inline code, each part of a pipe by itself."""
    text = page.read_text().replace("\\\n", " ")
    blocks = [line for block in FENCED.finditer(text) for line in block[0].splitlines()[1:-1]]
    inline = re.findall(r"`([^`]+)`", FENCED.sub("", text))
    return [part.strip() for line in blocks + inline for part in re.split(r"\\?\||&&|;|#", line)]


@functools.cache
def help_of(wakegate: Path, words: tuple[str, ...]) -> str:
    return subprocess.run([wakegate, *words, "--help"], capture_output=True, text=True, check=True).stdout


def commands_below(wakegate: Path, words: tuple[str, ...]) -> set[str]:
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", help_of(wakegate, words), re.M)
    return set(re.findall(r"^  (\S+)", listed[1], re.M)) if listed else set()


def test_the_program_has_every_command_and_option_that_a_page_tells_of(commands: Path) -> None:
    wakegate, checked = commands / "wakegate", 0
    # What is told there of earlier versions need not be so now.
    for page in (page for page in PAGES if page.name != "CHANGELOG.md"):
        for line in told(page):
            if not (found := NAMED.match(line)):
                continue
            words = found[1].split()
            # Another program's file of this name, or what the program says.
            if not words or not re.match(r"(?:-|[a-z-]+$)", words[0]) or words[0] in ("serves", "said"):
                continue
            path: tuple[str, ...] = ()
            for word in words:
                if word in commands_below(wakegate, path):
                    path += (word,)
            helps = "".join(help_of(wakegate, path[:count]) for count in range(len(path) + 1))
            known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", helps))
            assert path or words[0].startswith("-"), f"{page.name}: wakegate has no {words[0]}: {line}"
            for option in (word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)):
                assert option in known, f"{page.name}: wakegate {' '.join(path)} has no {option}: {line}"
            checked += 1
    assert checked > 80


def test_make_has_every_target_that_a_page_tells_of() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    asked = {(page.name, found[1]) for page in PAGES for line in told(page) if (found := MADE.match(line))}
    assert {target for _, target in asked} >= {"demo", "test", "train"}
    assert [(page, target) for page, target in sorted(asked) if target not in targets] == []


def test_an_install_from_the_registry_is_told_the_profile_of_the_release() -> None:
    # A published crate has no profile: Cargo takes those of the workspace, which stays behind.
    profile = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    wanted = {key.upper().replace("-", "_"): str(value) for key, value in profile.items() if key != "package"}
    page = (ROOT / "docs" / "operators.md").read_text()
    assert dict(re.findall(r"CARGO_PROFILE_RELEASE_(\w+)=(\w+)", page)) == wanted
    program = tomllib.loads((ROOT / "crates" / "wakegate-cli" / "Cargo.toml").read_text())
    assert "profile" not in program, "then the page is wrong"
    [without] = re.findall(r"`--no-default-features --features ([\w,]+)` needs no ALSA", page)
    assert set(without.split(",")) == set(program["features"]["default"]) - {"capture"}
