"""The pictures of the README, from the program itself: python tests/browser/screenshots.py [FOLDER]

The reviewer's page shows a synthetic recording of data/, the report what `wakegate eval` says of data/. No person is in any of them.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from conftest import CHROMIUM, FLAGS, ROOT, TARGET, Host
from playwright.sync_api import Browser, expect, sync_playwright

DESK = {"width": 1000, "height": 830}


def pages_digest() -> str:
    """One hash of all that the pages are made of."""
    digest = hashlib.sha256()
    program = ROOT / "crates" / "wakegate-cli" / "src"
    for path in sorted([*program.rglob("assets/*"), *program.rglob("report/style.css")], key=lambda path: path.name):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def reviewed(browser: Browser, folder: Path) -> None:
    """A clip as a reviewer sees it."""
    host = Host()
    host.store("alexa_lights")
    host("serve", "Ann")
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=DESK, color_scheme=scheme, device_scale_factor=1.5)
        page.goto(host("link", "Ann"))
        expect(page.locator("#review")).to_be_visible(timeout=20_000)
        # The picture tells what there is to see; a reviewer asks for it after the label.
        page.locator("#show-why").click()
        page.locator("#seek").fill("1.4")
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=folder / f"review-{scheme}.png")
        page.locator("#log-out").click()
        expect(page.locator("#login")).to_be_visible()
        page.locator("#new-link").click()
        expect(page.locator("#login-status")).to_contain_text("new one")
        page.close()
    host.end()


def reported(browser: Browser, folder: Path) -> None:
    """The report of data/."""
    with tempfile.TemporaryDirectory() as made:
        scores = Path(made) / "scores.jsonl"
        wakegate = TARGET / "debug" / "wakegate"
        with scores.open("w") as out:
            subprocess.run([wakegate, "score", "data", "--activations"], cwd=ROOT, stdout=out, check=True)
        command = [wakegate, "eval", "--scores", scores, "--labels", "data/labels.tsv", "--by", "kind", "--report", made]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.goto((Path(made) / "index.html").as_uri())
        page.screenshot(path=folder / "report-light.png")
        page.close()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        reviewed(browser, folder)
        reported(browser, folder)
        browser.close()
    # What the pages were when the pictures were made: a test compares.
    (folder / "pages.sha256").write_text(pages_digest() + "\n")
    for picture in sorted(folder.glob("*.png")):
        # A quarter of the size, to the eye the same: 128 colours.
        subprocess.run(["convert", picture, "-strip", "+dither", "-colors", "128", f"PNG8:{picture}"], check=True)
        print(picture, picture.stat().st_size)


if __name__ == "__main__":
    main()
