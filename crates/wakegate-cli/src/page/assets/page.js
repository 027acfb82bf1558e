// The page: who is in, which view is open, and what the keys do.

import * as api from "./api.js";
import * as draw from "./clip.js";
import { certified, element, glanced, interval, percent, show as showOverview } from "./overview.js";
import { Player, samplesOf } from "./player.js";

const $ = (id) => document.getElementById(id);
const VIEWS = ["login", "review", "leak", "empty", "overview"];
const POLL_MS = 4000;
/** A second less than the device waits with a label. */
const UNDO_MS = 5000;
const SAID = {
  intended: "Labelled intended.",
  accidental: "Labelled accidental.",
  unclear: "Labelled unclear.",
  delete: "Deleted.",
};

/** The open clip with its cells, or null. */
let open = null;
let view = "login";
/** Whether a request that changes something is on its way. */
let busy = false;
let poll = 0;
let undoing = 0;
/** What the overview shows. */
let figures = null;
const player = new Player(follow);

// Views

function go(name, { focus = true } = {}) {
  view = name;
  VIEWS.forEach((id) => { $(id).hidden = id !== name; });
  $("bar").hidden = name === "login";
  for (const [tab, there] of [["to-review", name !== "overview"], ["to-overview", name === "overview"]]) {
    if (there) $(tab).setAttribute("aria-current", "page");
    else $(tab).removeAttribute("aria-current");
  }
  if (focus) $(`${name}-title`).focus({ preventScroll: true });
  scrollTo(0, 0);
}

function say(text, alert = false) {
  const line = { login: "login-status", empty: "empty-status", overview: "overview-status" }[view] ?? "status";
  $(line).textContent = text;
  $(line).classList.toggle("alert", alert);
}

/** Says what went wrong, and ends at the login where the session is over. */
function failed(error) {
  if (error instanceof api.NoSession) return leave("Your session has ended. A new link is in the terminal.");
  const why = error instanceof api.Refused ? error.message : "the device does not answer";
  say(`That did not work: ${why}.`, true);
}

function leave(text) {
  clearTimeout(poll);
  offerUndo(false);
  closeClip();
  api.keepToken(null);
  go("login");
  say(text);
}

// Coming in

async function logIn(text) {
  const secret = text.trim().split("#").pop();
  say("Logging in…");
  try {
    const { reviewer, token } = await api.post("/api/login", { secret });
    api.keepToken(token);
    enter(reviewer);
  } catch (error) {
    say(error instanceof api.Refused ? sentence(error.message) : "The device does not answer.", true);
  }
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function enter(reviewer) {
  $("reviewer").textContent = reviewer;
  $("secret").value = "";
  watch();
  next();
}

async function start() {
  const secret = location.hash.slice(1);
  // Out of the address bar and the history before anything else.
  history.replaceState(null, "", "/");
  go("login", { focus: false });
  if (/^[0-9a-f]{32}$/.test(secret)) return logIn(secret);
  if (!api.hasToken()) return $("secret").focus();
  try {
    enter((await api.get("/api/standing")).reviewer);
  } catch {
    api.keepToken(null);
    $("secret").focus();
  }
}

// The open clip

async function next(text = "") {
  busy = true;
  closeClip();
  try {
    const { clip, left, elsewhere } = await api.post("/api/next");
    count(left);
    if (!clip) return nothing(elsewhere, text);
    const [wav, cells] = await Promise.all([
      api.bytes(`/api/clips/${clip.id}/audio`),
      api.bytes(`/api/clips/${clip.id}/picture`),
    ]);
    open = { ...clip, cells };
    player.load(samplesOf(wav));
    describe(clip);
    reveal(false);
    go("review");
    paint();
    follow();
    say(text || "Listen first, then judge.");
  } catch (error) {
    if (error instanceof api.Refused && error.status === 410) {
      // It went between being given and being fetched.
      return setTimeout(() => next("A clip expired or was deleted. Here is the next."), 300);
    }
    failed(error);
  } finally {
    busy = false;
    ready();
  }
}

function nothing(elsewhere, text) {
  const clips = elsewhere === 1 ? "1 clip is" : `${elsewhere} clips are`;
  $("empty-why").textContent = elsewhere
    ? `${clips} with other reviewers. What they give back appears here by itself.`
    : "The queue is empty. A new clip appears here by itself.";
  go("empty");
  say(text);
}

/** Forgets the clip: its samples, its picture and its drawings are overwritten. */
function closeClip() {
  player.unload();
  open?.cells.fill(0);
  open = null;
  draw.clear([$("wave"), $("spectrogram"), $("posteriors"), $("axis")]);
  $("word").hidden = $("head").hidden = true;
  ready();
}

function count(left) {
  $("left").textContent = left;
}

function paint() {
  if (!open || view !== "review") return;
  const { seconds, drawing, cells, word_s: [from, to] } = open;
  draw.waveform($("wave"), player.samples);
  draw.spectrogram($("spectrogram"), cells, drawing, seconds);
  draw.posteriors($("posteriors"), drawing.spotter, seconds);
  draw.axis($("axis"), seconds);
  const word = $("word");
  word.style.left = `${(100 * from) / seconds}%`;
  word.style.width = `${(100 * (to - from)) / seconds}%`;
  word.hidden = false;
}

function describe(clip) {
  const { drawing } = clip;
  $("word-name").textContent = `“${clip.wake_word}”`;
  const [from, to] = clip.word_s.map((s) => s.toFixed(1));
  $("wave").setAttribute("aria-label", `Waveform of ${clip.seconds.toFixed(1)} seconds; the word lies from ${from} to ${to} seconds`);
  $("high-hz").textContent = `${(drawing.high_hz / 1000).toFixed(1)} kHz`;
  $("low-hz").textContent = `${Math.round(drawing.low_hz)} Hz`;
  const { spotter } = drawing;
  $("trace-name").replaceChildren(...traceName(spotter, clip));
  // The mark of a model that was changed since says nothing about this verdict.
  const threshold = spotter?.differs ? undefined : spotter?.intended_at;
  const mark = threshold === undefined ? "" : ` From the mark on, ${percent(threshold)}, the verdict is intended.`;
  $("reason").textContent = `${clip.model} heard “${clip.wake_word}” said to the device: not in passing, and no other word.${mark}${traceWarning(spotter, clip)}`;
  $("bars").replaceChildren(
    bar("Said to the device", clip.p_intended, threshold),
    bar("The word in passing", clip.p_not_addressed),
    bar("Another word, or noise", clip.p_not_wake_word));
  const fact = (name, value) => element("div", {}, element("dt", {}, name), element("dd", {}, value));
  const day = new Date(clip.stored_ms);
  $("dates").replaceChildren(
    fact("Heard", day.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })),
    fact("Deleted at the latest", `in ${span(clip.expires_in_s)}`));
  $("details").replaceChildren(
    fact("Model", clip.model),
    fact("Intended", clip.p_intended.toPrecision(4)),
    fact("Scores: word, address", `${clip.p_wake_word.toFixed(2)}, ${clip.p_addressed.toFixed(2)}`),
    fact("Spotter’s peak, as heard", clip.spotter_peak === null ? "none: proposed from outside" : clip.spotter_peak.toFixed(2)));
}

/** Shows what the device thought, or hides it: a label that leans on it certifies nothing. */
function reveal(shown) {
  for (const id of ["why", "posteriors", "trace-name"]) $(id).hidden = !shown;
  $("why-hidden").hidden = shown;
  if (shown) paint();
}

/** Offers to take the last label back, for as long as the device waits with it. */
function offerUndo(offered) {
  clearTimeout(undoing);
  $("undo-line").hidden = !offered;
  if (offered) undoing = setTimeout(() => offerUndo(false), UNDO_MS);
}

async function undo() {
  if (busy || $("undo-line").hidden) return;
  offerUndo(false);
  try {
    const { undone } = await api.post("/api/undo");
    await next(undone ? "Taken back. Here is the clip again." : "It is too late to take that back.");
  } catch (error) {
    failed(error);
  }
}

/** What the curve is: not what was seen when the word was heard, but computed for this page. */
function traceName(spotter, clip) {
  if (!spotter) return [`No curve: ${clip.model} is not installed here`];
  if (spotter.differs) return [element("b", {}, `Not as heard: ${spotter.model} was changed since`)];
  return [`Posterior over time, computed now by ${spotter.model}; dashed: its threshold`];
}

/** What that means for who judges. */
function traceWarning(spotter, clip) {
  if (!spotter?.differs) return "";
  const peaks = `${clip.spotter_peak.toFixed(2)} when it was heard and is ${spotter.peak.toFixed(2)} now`;
  return ` Don’t judge by the curve: ${spotter.model} was changed since, the spotter’s peak was ${peaks}.`;
}

function span(seconds) {
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([size]) => seconds >= size) ?? [1, "second"];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function bar(name, share, threshold) {
  const fill = element("span", { class: "fill" });
  fill.style.width = `calc(${100 * share}% + 2px)`;
  const track = element("span", { class: "track", "aria-hidden": "true" }, fill);
  if (threshold !== undefined) {
    const tick = element("span", { class: "tick" });
    tick.style.left = `${100 * threshold}%`;
    track.append(tick);
  }
  return element("li", threshold === undefined ? {} : { class: "first" },
    element("span", {}, name), track, element("span", { class: "value" }, glanced(share)));
}

/** Shows where the player is. */
function follow() {
  const { position, length, playing } = player;
  $("play").setAttribute("aria-pressed", String(playing));
  $("play-name").textContent = playing ? "Pause" : "Play";
  $("seek").max = length || 1;
  $("seek").value = position;
  $("time").textContent = `${position.toFixed(1)} / ${length.toFixed(1)} s`;
  $("head").hidden = !open;
  if (length) $("head").style.left = `${(100 * position) / length}%`;
  ready();
}

async function toggle() {
  if (!open) return;
  if (!player.heard) say("");
  await player.toggle();
}

/** What may be decided now: nobody calls a clip intended or accidental unheard. */
function ready() {
  for (const choice of document.querySelectorAll(".choice")) {
    const judges = ["intended", "accidental"].includes(choice.dataset.decision);
    choice.setAttribute("aria-disabled", String(!open || busy || (judges && !player.heard)));
  }
}

async function decide(decision) {
  if (!open || busy) return;
  if (["intended", "accidental"].includes(decision) && !player.heard) {
    return say("Listen first: Space plays the clip.", true);
  }
  busy = true;
  ready();
  player.pause();
  try {
    const { answer, incident, undo } = await api.post(`/api/clips/${open.id}/decide`, { decision, undo: true });
    offerUndo(undo);
    if (answer === "leak") return leak(incident);
    await next({
      done: SAID[decision],
      gone: "That clip expired or was deleted before your label. Here is the next.",
      taken: "Another reviewer has that clip now. Here is the next.",
    }[answer]);
  } catch (error) {
    failed(error);
  } finally {
    busy = false;
    ready();
  }
}

function leak(incident) {
  closeClip();
  $("leak-number").textContent = incident.leaks;
  const [bound, why] = certified(incident.certificate);
  const fact = (name, ...value) => element("div", {}, element("dt", {}, name), ...value.map((text) => element("dd", {}, text)));
  $("leak-facts").replaceChildren(
    fact("Leaks so far", `${incident.leaks} ${interval(incident)}`),
    fact("Certified bound", incident.certificate ? `${bound} ${why}` : why));
  go("leak");
}

// What happens meanwhile

function watch() {
  clearTimeout(poll);
  poll = setTimeout(look, POLL_MS);
}

async function look() {
  const before = open?.id;
  try {
    const { left, elsewhere, clip, session_s: session } = await api.get("/api/standing");
    count(left);
    const gone = before && open?.id === before && (clip?.id !== before || clip.answer !== "done");
    if (gone && !busy) {
      if (view === "review") await next("That clip expired or was deleted while it was open. Here is the next.");
      else closeClip();
    } else if (view === "empty" && !busy && left > elsewhere) {
      await next("A new clip.");
    } else if (session < 65) {
      say("Your session ends in a minute unless you do something.", true);
    }
  } catch (error) {
    if (error instanceof api.NoSession) return failed(error);
    say("The device does not answer. Trying again…", true);
  }
  if (view !== "login") watch();
}

function plot() {
  if (figures && view === "overview") {
    showOverview(figures, { tiles: $("tiles"), plots: $("plots"), span: $("overview-span") });
  }
}

async function overview() {
  player.pause();
  try {
    const data = await api.get("/api/overview");
    $("wipe-count").textContent = data.queued === 1
      ? "There is 1 clip. It can’t be brought back."
      : `There are ${data.queued} clips. They can’t be brought back.`;
    go("overview");
    figures = data;
    plot();
    say("");
  } catch (error) {
    failed(error);
  }
}

function review() {
  if (!open) return next();
  go("review");
  paint();
}

async function wipe() {
  $("wipe-dialog").close();
  try {
    const { wiped } = await api.post("/api/purge", { confirm: "delete every clip" });
    closeClip();
    count(0);
    await overview();
    say(`${wiped} ${wiped === 1 ? "clip is" : "clips are"} deleted, and the device key is replaced.`);
  } catch (error) {
    failed(error);
  }
}

// Keys and buttons

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const on = event.target;
  const key = event.key.toLowerCase();
  if (key === "z" && on.id !== "secret") return void undo();
  if (view !== "review" || $("wipe-dialog").open) return;
  const decisions = { i: "intended", a: "accidental", u: "unclear", d: "delete" };
  if (key in decisions) decide(decisions[key]);
  else if (key === " " && !on.closest("button, summary, a")) toggle();
  else if (key === "arrowleft" && on.id !== "seek") player.seek(player.position - 0.5);
  else if (key === "arrowright" && on.id !== "seek") player.seek(player.position + 0.5);
  else return;
  event.preventDefault();
});

$("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  logIn($("secret").value);
});
$("new-link").addEventListener("click", async () => {
  try {
    await api.post("/api/link");
    say("If your link was void, a new one is in the terminal now.");
  } catch (error) {
    failed(error);
  }
});
$("log-out").addEventListener("click", async () => {
  await api.post("/api/logout").catch(() => {});
  leave("You are logged out.");
});
$("undo").addEventListener("click", undo);
$("show-why").addEventListener("click", () => reveal(true));
$("play").addEventListener("click", toggle);
$("seek").addEventListener("input", () => player.seek(Number($("seek").value)));
$("lanes").addEventListener("pointerdown", (event) => {
  const { left, width } = $("lanes").getBoundingClientRect();
  player.seek(((event.clientX - left) / width) * player.length);
});
document.querySelectorAll(".choice").forEach((choice) => {
  choice.addEventListener("click", () => decide(choice.dataset.decision));
});
$("leak-next").addEventListener("click", () => next());
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && view === "leak" && !event.target.closest("button") && !event.repeat) next();
});
$("to-review").addEventListener("click", review);
$("to-overview").addEventListener("click", overview);
$("wipe").addEventListener("click", () => $("wipe-dialog").showModal());
$("wipe-no").addEventListener("click", () => $("wipe-dialog").close());
$("wipe-yes").addEventListener("click", wipe);
new ResizeObserver(paint).observe($("lanes"));
addEventListener("resize", plot);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
// A link opened in a page that is already here.
addEventListener("hashchange", () => { if (view === "login") start(); });
// What a browser keeps of a page that was left must hold no clip.
addEventListener("pagehide", closeClip);
addEventListener("pageshow", (event) => { if (event.persisted && view === "review") next(); });

start();
