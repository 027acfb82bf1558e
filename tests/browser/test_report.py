"""The page of `wakegate eval --report` in a real browser: light, dark, and on a small screen."""

import json
import random
import subprocess
import wave

import pytest
from conftest import TARGET

WIDTHS = {"wide": 1280, "tablet": 768, "phone": 360}


def scores(system, seed, shift):
    """Scores of 120 clips of the word and 6 hours of talk, better with more `shift`."""
    draw = random.Random(seed)
    lines = []

    def line(path, audio_s, number, end_s, p):
        verdict = "intended" if p >= 0.8 else "accidental"
        reason = "intended" if p >= 0.8 else draw.choice(["not_addressed", "not_wake_word"])
        lines.append({
            "path": path, "activation": number, "audio_s": audio_s, "verdict": verdict, "reason": reason,
            "p_intended": round(p, 5), "wake_word": "alexa", "end_s": round(end_s, 3),
            "decided_s": round(end_s + draw.uniform(0.8, 0.95), 3), "model": system, "error": None,
        })  # fmt: skip

    for n in range(120):
        if draw.random() > 0.04:
            line(f"clips/{n:03}.wav", 4.0, 1, 2.0 + draw.gauss(0, 0.05), draw.betavariate(shift, 1.2))
    for hour in range(6):
        for number in range(14):
            line(f"talk/{hour}.flac", 3600.0, number + 1, draw.uniform(0, 3600), draw.betavariate(1.0, shift))
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Makes a report with everything in it, and returns its address."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "ours.jsonl").write_text(scores("alexa-1", 1, 9))
    (folder / "theirs.jsonl").write_text(scores("other-2", 2, 4))
    rows = [f"clips/{n:03}.wav\t1.4\t2.0\talexa\tspeaker {n // 5}\t4\t{n % 3 * 5} dB" for n in range(120)]
    rows += [f"talk/{hour}.flac\t\t\t\t\t3600\ttalk" for hour in range(6)]
    (folder / "labels.tsv").write_text("path\tstart_s\tend_s\tlabel\tspeaker\taudio_s\tnoise\n" + "\n".join(rows) + "\n")
    # Of one clip the audio is at hand, of the others it isn't.
    (folder / "clips").mkdir()
    for n in range(120):
        if n % 2:
            with wave.open(str(folder / f"clips/{n:03}.wav"), "wb") as file:
                file.setparams((1, 2, 16000, 0, "NONE", ""))
                file.writeframes(b"\x00\x10" * 64000)
    command = [TARGET / "debug/wakegate", "eval", "--scores", "ours.jsonl", "--against", "theirs.jsonl"]
    command += ["--labels", "labels.tsv", "--by", "noise", "--report", "out", "--audio", "--resamples", "200"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return (folder / "out/index.html").as_uri()


@pytest.fixture
def opened(chromium, report):
    """Opens the page and holds it against the rule: no request, no complaint."""
    contexts, requests, complaints = [], [], []

    def make(width, scheme):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(report)
        return page

    yield make
    for context in contexts:
        context.close()
    outside = [url for url in requests if url != report and not url.startswith("data:")]
    assert not outside, f"requests to elsewhere: {outside}"
    assert not complaints, complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_cut_off(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for plot in page.locator("svg.plot").all():
        box = plot.bounding_box()
        assert box["width"] > 250 and box["x"] >= 0 and box["x"] + box["width"] <= width
    # Labels stay in their plots, and large enough to read.
    small, out = page.evaluate(
        """() => {
          const texts = [...document.querySelectorAll("svg.plot text")];
          const outside = texts.filter((text) => {
            const [box, plot] = [text, text.ownerSVGElement].map((e) => e.getBoundingClientRect());
            return box.left < plot.left - 1 || box.right > plot.right + 1 || box.bottom > plot.bottom + 1;
          });
          const sizes = texts.map((text) => {
            const plot = text.ownerSVGElement;
            const scale = plot.getBoundingClientRect().width / plot.viewBox.baseVal.width;
            return scale * parseFloat(getComputedStyle(text).fontSize);
          });
          return [Math.min(...sizes), outside.map((text) => text.textContent)];
        }"""
    )
    assert small >= 9.5 and not out, (small, out)


def test_plots_take_the_colours_of_the_page(opened):
    colours = {}
    for scheme in ("light", "dark"):
        page = opened(1280, scheme)
        colours[scheme] = page.evaluate(
            """() => [...document.querySelectorAll("svg.plot *")].flatMap((e) => {
              const { fill, stroke } = getComputedStyle(e);
              return [fill, stroke];
            })"""
        )
        stand_ins = [f"rgb({n}, {n}, {n})" for n in range(1, 5)]
        assert not set(colours[scheme]) & set(stand_ins), "a stand-in is shown"
    assert set(colours["light"]) != set(colours["dark"])


def test_mistakes_can_be_heard_where_the_audio_is_at_hand(opened):
    page = opened(1280, "light")
    assert page.locator("audio").count() >= 1
    assert page.get_by_text("no audio: ").count() >= 1
    seconds = page.locator("audio").first.evaluate(
        """(audio) => new Promise((done) => {
          audio.addEventListener("loadedmetadata", () => done(audio.duration));
          audio.addEventListener("error", () => done(-1));
          audio.preload = "auto";
          audio.load();
        })"""
    )
    assert seconds == pytest.approx(4.0, abs=0.01)


def test_every_plot_has_a_name(opened):
    page = opened(1280, "light")
    names = page.evaluate("[...document.querySelectorAll('svg.plot')].map((e) => e.getAttribute('aria-label'))")
    # The fourth would be empty, and a sentence stands there instead.
    assert len(set(names)) == len(names) == 3 and all(names)
    nothing = page.get_by_text("There is no false accept to show.")
    assert nothing.count() == 1
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 900})
        left = "(e) => e.getBoundingClientRect().x + parseFloat(getComputedStyle(e).paddingLeft)"
        caption = page.locator("figure", has_text="There is no false accept").locator("figcaption")
        assert nothing.evaluate(left) == pytest.approx(caption.evaluate(left), abs=0.5), width
    assert page.locator("h1").inner_text() == "alexa-1 beside other-2: misses and false accepts"


def test_the_page_says_which_interval_of_false_accepts_holds(opened):
    page = opened(1280, "light")
    # Clips of 24 speakers, and six hours of talk without one.
    assert page.get_by_text("bootstrap over 24 speakers and 72 blocks of 300 s").count() >= 2
    assert "/" not in page.locator(".list b").first.inner_text(), "a mistake is called by its file"
