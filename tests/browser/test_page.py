"""The reviewer's page in a real browser: by keyboard, by two people, and while clips go."""

import re

from playwright.sync_api import expect

WORDS = ["alexa_lights", "alexa_question", "alexa_timer"]
# A poll of the page, and room for a slow machine.
SOON = 20_000
DAY_MS = 24 * 3600 * 1000


def enter(visit, host, name, **options):
    """Serves, if it is the first, and logs the reviewer in by their link."""
    link = host("link", name)
    changed = options.pop("changed", False)
    made = visit(link.split("/")[2], **options)
    if changed:
        made.context.route("**/api/next", as_if_changed)
    made.page.goto(link)
    expect(made.page.locator("#bar")).to_be_visible()
    return made


def as_if_changed(route):
    """Answers as a server does whose model was changed, under its name, since it judged."""
    answer = route.fetch()
    body = answer.json()
    body["clip"]["drawing"]["spotter"].update(differs=True, peak=0.31)
    route.fulfill(response=answer, json=body)


def shows(page, view):
    expect(page.locator(f"#{view}")).to_be_visible(timeout=SOON)


def hear(page):
    """Plays the clip from its start for a moment."""
    expect(page.locator("#review")).to_be_visible(timeout=SOON)
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#time")).not_to_have_text(re.compile(r"^0\.0 "))


def pixels(page, canvas):
    """How many different colours a canvas shows."""
    return page.evaluate(
        """(id) => {
          const canvas = document.getElementById(id);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        canvas,
    )


def test_a_reviewer_works_by_keyboard_alone(host, visit):
    for word in WORDS:
        host.store(word)
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    shows(page, "review")
    assert "#" not in page.url, "the secret stays in the address bar"
    expect(page.locator("#left")).to_have_text("3")
    expect(page.locator("#word-name")).to_have_text("“alexa”")
    assert pixels(page, "wave") > 1 and pixels(page, "spectrogram") > 50
    # What the device thought is for who asks.
    for hidden in ("why", "posteriors", "trace-name"):
        expect(page.locator(f"#{hidden}")).to_be_hidden()
    page.locator("#show-why").click()
    expect(page.locator("#bars")).to_contain_text("Said to the device")
    assert pixels(page, "posteriors") > 2, "the spotter's posteriors are drawn"
    expect(page.locator("#trace-name")).to_have_text(re.compile(r"computed now by alexa-\d+"))

    # Unheard, it can't be judged.
    page.keyboard.press("i")
    expect(page.locator("#status")).to_contain_text("Listen first")
    hear(page)
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    before = float(page.locator("#seek").input_value())
    page.keyboard.press("ArrowRight")
    assert abs(float(page.locator("#seek").input_value()) - before - 0.5) < 0.02
    page.keyboard.press("i")
    expect(page.locator("#status")).to_have_text("Labelled intended.")
    expect(page.locator("#left")).to_have_text("2")

    page.keyboard.press("u")
    expect(page.locator("#status")).to_have_text("Labelled unclear.")
    # The last one by its visible button, reached with the tab key.
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.decision") == "delete":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus can't be seen"
    page.keyboard.press("Enter")
    shows(page, "empty")
    assert host("scores") == ["intended", "unclear"]


def test_a_label_can_be_taken_back_for_some_seconds(host, visit):
    host.store(WORDS[0])
    host.store(WORDS[1])
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    hear(page)
    page.locator("#show-why").click()
    page.keyboard.press("i")
    expect(page.locator("#left")).to_have_text("1")
    expect(page.locator("#why")).to_be_hidden()
    page.keyboard.press("z")
    expect(page.locator("#status")).to_contain_text("Here is the clip again")
    expect(page.locator("#left")).to_have_text("2")
    expect(page.locator("#undo-line")).to_be_hidden()
    assert host("scores") == []
    # Too late, the offer is gone and the label is written.
    page.keyboard.press("u")
    expect(page.locator("#undo-line")).to_be_visible()
    expect(page.locator("#undo-line")).to_be_hidden(timeout=SOON)


def test_a_leak_is_deleted_counted_and_shown(host, visit):
    host.store(WORDS[0])
    host.store(WORDS[1])
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    hear(page)
    page.keyboard.press("a")
    shows(page, "leak")
    assert page.evaluate("document.activeElement.id") == "leak-title", "it is not announced"
    expect(page.locator("#leak")).to_contain_text("1 of 1 reviewed: a share of 2.5 % to 100 %")
    expect(page.locator("#leak")).to_contain_text("No threshold is certified")
    assert host("stats")["queued"] == 1 and host("stats")["leaks"] == 1
    assert host("scores") == ["accidental"]
    page.keyboard.press("Enter")
    shows(page, "review")
    page.locator("#to-overview").click()
    expect(page.locator("#tiles")).to_contain_text("of 1 reviewed")
    expect(page.locator("#plots figure")).to_have_count(4)
    # One of one: the interval ends at 100 %, where the scale does.
    expect(page.locator("#plots")).to_contain_text("95\u00a0% interval.")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#wipe").click()
    keep, away = page.locator("#wipe-no").bounding_box(), page.locator("#wipe-yes").bounding_box()
    assert keep["height"] < 48 and abs(keep["height"] - away["height"]) < 4, "an answer takes two lines"
    page.locator("#wipe-no").click()


def test_the_overview_shows_every_figure_also_as_a_table(host, visit):
    host("history")
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    shows(page, "empty")
    page.locator("#to-overview").click()
    expect(page.locator("#tiles")).to_contain_text("≤ 0.76 %")
    for figure in page.locator("#plots figure").all():
        label = figure.locator("svg[role=img]").get_attribute("aria-label")
        assert any(digit.isdigit() for digit in label), label
        figure.locator("summary").click()
        assert figure.locator("tbody tr").count() > 5
    stats = host("stats")
    stopped = sum(sum(day["stopped"].values()) for day in stats["days"])
    expect(page.locator("#tiles")).to_contain_text(f"Stopped{stopped}activations")


def test_two_reviewers_and_a_purge(host, visit):
    host.store(WORDS[0])
    host.store(WORDS[1])
    host("serve", "Ann Ben")
    ann, ben = enter(visit, host, "Ann"), enter(visit, host, "Ben")
    shows(ann.page, "review"), shows(ben.page, "review")
    hers, his = (
        {url.split("/")[5] for url in visit.requests if "/audio" in url} for visit in (ann, ben)
    )
    assert len(hers) == len(his) == 1 and hers != his, "they got the same clip"
    hear(ben.page)
    ben.page.keyboard.press("i")
    shows(ben.page, "empty")
    expect(ben.page.locator("#empty-why")).to_contain_text("1 clip is with other reviewers")

    # He wipes everything; she has a clip open, and hears of it.
    ben.page.locator("#to-overview").click()
    ben.page.locator("#wipe").click()
    ben.page.locator("#wipe-yes").click()
    expect(ben.page.locator("#overview-status")).to_contain_text("1 clip is deleted", timeout=SOON)
    assert host("stats")["queued"] == 0
    shows(ann.page, "empty")
    expect(ann.page.locator("#empty-status")).to_contain_text("expired or was deleted")


def test_a_clip_that_goes_while_it_is_open_says_so_and_moves_on(host, visit):
    first, second = host.store(WORDS[0]), host.store(WORDS[1])
    host("serve", "Ann")
    made = enter(visit, host, "Ann")
    page = made.page
    hear(page)
    assert host("delete", first) == "Done"
    expect(page.locator("#status")).to_contain_text("expired or was deleted", timeout=SOON)
    expect(page.locator("#left")).to_have_text("1")
    assert any(second in url for url in made.requests), "the next clip is not open"
    # Its time is over: the session's too, so the page says that and lets go of the clip.
    host("pass", 8 * DAY_MS)
    shows(page, "login")
    expect(page.locator("#login-status")).to_contain_text("session has ended")
    assert pixels(page, "spectrogram") == 1, "the picture of the clip stays"
    page.locator("#secret").fill(host("link", "Ann"))
    page.locator("#secret").press("Enter")
    shows(page, "empty")
    assert host("stats")["days"][-1]["expired"] == 1


def test_a_clip_that_expires_within_a_session(host, visit):
    host.store(WORDS[0])
    host("pass", 7 * DAY_MS - 60_000)
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    hear(page)
    host("pass", 61_000)
    shows(page, "empty")
    expect(page.locator("#empty-status")).to_contain_text("expired or was deleted")


def test_a_link_works_once_and_a_reload_goes_on(host, visit):
    host.store(WORDS[0])
    host("serve", "Ann")
    link = host("link", "Ann")
    made = enter(visit, host, "Ann")
    page = made.page
    shows(page, "review")
    page.reload()
    shows(page, "review")
    hear(page)
    thief = visit(made.address).page
    thief.goto(link)
    expect(thief.locator("#login-status")).to_contain_text("This link is used")
    page.locator("#log-out").click()
    shows(page, "login")
    page.go_back()
    page.go_forward()
    expect(page.locator("#review")).to_be_hidden()


def test_it_fits_a_phone_and_nothing_moves(host, visit):
    host("history")
    host.store(WORDS[0])
    host.store(WORDS[1])
    host("serve", "Ann")
    size = {"width": 360, "height": 740}
    for scheme in ("light", "dark"):
        made = enter(visit, host, "Ann", viewport=size, color_scheme=scheme, has_touch=True)
        page = made.page
        shows(page, "review")
        moved = """() => new Promise((done) => {
            const sum = (entries) => entries.filter((e) => !e.hadRecentInput).reduce((a, e) => a + e.value, 0);
            new PerformanceObserver((list) => done(sum(list.getEntries())))
              .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(0), 500);
          })"""
        hear(page)
        page.locator("[data-decision=unclear]").scroll_into_view_if_needed()
        for view in ("to-overview", "to-review"):
            wide = page.evaluate(
                """() => [...document.querySelectorAll("main *")].filter((e) =>
                     e.getClientRects().length && !e.closest("svg, .word, .scroll") &&
                     e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert not wide, f"{scheme}: wider than the screen: {wide}"
            page.locator(f"#{view}").click()
            shows(page, view.removeprefix("to-"))
        assert page.evaluate(moved) < 0.02, f"{scheme}: the layout shifts"
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(", "))) < 200) == (scheme == "dark"), paper
        page.locator("#log-out").click()
        shows(page, "login")


def test_a_model_that_was_changed_since_is_told_and_draws_no_mark(host, visit):
    host.store(WORDS[0])
    host("serve", "Ann Ben")
    mark = "From the mark on"
    ann = enter(visit, host, "Ann").page
    shows(ann, "review")
    expect(ann.locator("#reason")).to_contain_text(mark)
    ann.locator("#log-out").click()
    shows(ann, "login")
    ben = enter(visit, host, "Ben", changed=True).page
    shows(ben, "review")
    expect(ben.locator("#trace-name")).to_have_text(re.compile(r"^Not as heard: alexa-\d+ was changed since$"))
    reason = ben.locator("#reason")
    expect(reason).to_contain_text(re.compile(r"peak was [01]\.\d\d when it was heard and is 0\.31 now"))
    expect(reason).not_to_contain_text(mark)


def luminance(colour):
    parts = [int(part) / 255 for part in colour[4:-1].split(", ")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_the_contrast_of_wcag_aa(host, visit):
    host.store(WORDS[0])
    host("serve", "Ann")
    seen = """() => [...document.querySelectorAll("body *")].filter((e) => e.getClientRects().length &&
        [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).map((e) => {
          let back = e, paper;
          do { paper = getComputedStyle(back).backgroundColor; back = back.parentElement; }
          while (back && /, 0\\)$|transparent/.test(paper));
          return [e.textContent.trim().slice(0, 30), getComputedStyle(e).color, paper];
        }).filter(([, , paper]) => paper.startsWith("rgb("))"""
    for scheme in ("light", "dark"):
        page = enter(visit, host, "Ann", color_scheme=scheme, changed=True).page
        shows(page, "review")
        for view in ("review", "overview"):
            page.locator(f"#to-{view}").click()
            shows(page, view)
            texts = page.evaluate(seen)
            assert len(texts) > 15
            for text, ink, paper in texts:
                high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
                ratio = (high + 0.05) / (low + 0.05)
                assert ratio >= 4.5, f"{scheme}, {view}: {text!r} has {ratio:.2f}"
        page.locator("#log-out").click()
        shows(page, "login")


def test_everything_lies_on_one_time_axis_and_nothing_over_the_caption(host, visit):
    host.store(WORDS[0])
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    shows(page, "review")
    page.locator("#show-why").click()
    for width in (1100, 390):
        page.set_viewport_size({"width": width, "height": 900})
        lanes, seek = page.locator("#wave").bounding_box(), page.locator("#seek").bounding_box()
        # The middle of a slider's thumb, 16 pixels wide, goes from half a thumb to half a thumb before the end.
        assert abs(seek["x"] + 8 - lanes["x"]) < 1.5 and abs(seek["width"] - 16 - lanes["width"]) < 1.5, width
        caption, word = page.locator("#trace-name").bounding_box(), page.locator("#word").bounding_box()
        assert caption["y"] >= word["y"] + word["height"], width
        # Whole, and the word's edges go through neither of them.
        expect(page.locator("#trace-name")).to_contain_text("dashed: its threshold")
        assert page.evaluate("(({scrollWidth: all, clientWidth: shown}) => all <= shown)(document.getElementById('trace-name'))"), width
        name = page.locator("#word-name").bounding_box()
        assert name["y"] + name["height"] <= word["y"] + 0.5, width
    page.locator("#seek").fill("1.5")
    head, lanes = page.locator("#head").bounding_box(), page.locator("#wave").bounding_box()
    length = float(page.locator("#seek").get_attribute("max"))
    assert abs(head["x"] - lanes["x"] - lanes["width"] * 1.5 / length) < 2


def test_small_shares_are_words_and_figures_for_engineers_are_folded(host, visit):
    host.store("alexa_lights")
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    shows(page, "review")
    page.locator("#show-why").click()
    for value in page.locator("#bars .value").all_inner_texts():
        assert re.fullmatch(r"(<\s0\.1|>\s99\.9|\d+(\.\d{1,2})?)\s%", value), value
    expect(page.locator("#details")).not_to_be_visible()
    page.locator("#review summary").click()
    expect(page.locator("#details")).to_contain_text("Spotter’s peak")


def test_the_first_day_has_no_days_before_it(host, visit):
    host.store(WORDS[0])
    host("serve", "Ann")
    page = enter(visit, host, "Ann").page
    shows(page, "review")
    page.locator("#to-overview").click()
    expect(page.locator("#overview-span")).to_have_text("Today")
    expect(page.locator("#tiles dt").first).to_have_text("Stopped")
    queued = page.locator("#plots figure", has_text="Clips stored, by day")
    queued.locator("summary").click()
    assert queued.locator("tbody tr").count() == 1
    expect(page.locator("#plots figure", has_text="Share of all clips")).to_contain_text("Nothing yet.")
