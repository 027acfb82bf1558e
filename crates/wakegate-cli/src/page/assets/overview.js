// The overview's figures and plots, each plot with a table of the same numbers.

const SVG = "http://www.w3.org/2000/svg";
const H = 150;
/** What a figure's own padding and border take. */
const PADDING = 34;
const LEFT = 46;
const DAYS = 30;

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A share as people write it: two digits that count, and never a rounded-off zero. */
export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0\u00a0%";
  const digits = value >= 99.95 ? 0 : value >= 10 ? 1 : Math.max(1, 1 - Math.floor(Math.log10(value)));
  return `${Number(value.toFixed(Math.min(digits, 6)))}\u00a0%`;
}

/** The same where a person only glances at it: what is below a tenth of a per cent is no figure to compare. */
export function glanced(share) {
  if (share > 0 && share < 0.001) return "<\u00a00.1\u00a0%";
  if (share < 1 && share > 0.999) return ">\u00a099.9\u00a0%";
  return percent(share);
}

const REASONS = {
  not_wake_word: "another word, or noise",
  not_addressed: "the word in passing",
  unsure: "unsure",
  below_threshold: "below the threshold",
  disabled: "review is off",
  no_consent: "no consent",
  quiet_hours: "quiet hours",
  daily_cap: "the day’s clips are taken",
  low_disk: "too little disk",
  not_sampled: "not sampled",
  no_audio: "no whole word",
  queue_full: "the queue is full",
  busy: "the thread was behind",
  failed: "storing failed",
};
const reasonName = (reason) => REASONS[reason] ?? reason.replaceAll("_", " ");

export function certified(certificate) {
  if (!certificate) return ["none", "No threshold is certified yet: wakegate calibrate does that."];
  return [
    `≤\u00a0${percent(certificate.upper)}`,
    `accidental, with ${percent(certificate.confidence)} confidence, from ${certificate.labels} labels. Asked for: ${percent(certificate.share)}.`,
  ];
}

export function interval({ reviewed, leaks, leak_share: share }) {
  if (reviewed === 0) return "No clip is reviewed yet.";
  return `of ${reviewed} reviewed: a share of ${percent(share.low)} to ${percent(share.high)} (exact, 95\u00a0%).`;
}

function tile(name, big, note, bad = false) {
  return element("div", bad ? { class: "bad" } : {},
    element("dt", {}, name),
    element("dd", { class: "big" }, big),
    element("dd", { class: "note" }, note));
}

/** The latest days, those without anything included. */
function daysOf(data) {
  const known = new Map(data.days.map((day) => [day.date, day]));
  const last = data.today;
  const from = data.days[0]?.date ?? last;
  const days = [];
  for (let i = DAYS - 1; i >= 0; i--) {
    const date = new Date(Date.parse(`${last}T00:00:00Z`) - i * 86400000).toISOString().slice(0, 10);
    if (date < from) continue;
    days.push(known.get(date) ?? { date, stored: 0, reviewed: 0, leaks: 0, expired: 0, stopped: {} });
  }
  return days;
}

const short = (date) => new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB",
  { day: "numeric", month: "short", timeZone: "UTC" });

/** A round number at or above `value`. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 4, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
}

/** Axes with their labels; `y` maps a value to its height. */
function frame(label, width, top, days, write) {
  const y = (value) => H - (value / top) * H;
  const svg = drawn("svg", { viewBox: `0 -8 ${width} ${H + 32}`, role: "img", "aria-label": label });
  for (const value of [0, top / 2, top]) {
    svg.append(
      drawn("line", { x1: LEFT, x2: width, y1: y(value), y2: y(value), class: value ? "grid" : "base" }),
      drawn("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, write(value)));
  }
  const slot = (width - LEFT) / days.length;
  const every = Math.ceil(52 / slot);
  days.forEach((day, i) => {
    if ((days.length - 1 - i) % every) return;
    svg.append(drawn("text", { x: LEFT + slot * (i + 0.5), y: H + 18, "text-anchor": "middle" }, short(day.date)));
  });
  return { svg, y, slot };
}

/** Columns, stacked where a day has several values. */
function columns(label, width, days, stacks) {
  const most = Math.max(...stacks.map((stack) => stack.reduce((sum, n) => sum + n, 0)), 2);
  const top = ceiling(most % 2 ? most + 1 : most);
  const { svg, y, slot } = frame(label, width, top, days, (n) => Number.isInteger(n) ? n : "");
  const wide = Math.min(28, slot * 0.72);
  stacks.forEach((stack, i) => {
    let sum = 0;
    stack.forEach((count, kind) => {
      if (!count) return;
      svg.append(drawn("rect", {
        x: LEFT + slot * i + (slot - wide) / 2, width: wide, y: y(sum + count),
        height: y(sum) - y(sum + count), class: `c${kind + 1}`, rx: 1.5,
      }));
      sum += count;
    });
  });
  return svg;
}

/** Top of the leaks' scale. The first few clips say little: it is that of what is known now, the rest is cut off. */
function leaksTop(shown, bound) {
  const latest = shown.at(-1)?.high ?? 0;
  return Math.min(1, ceiling(Math.max(1.5 * latest, 1.5 * (bound ?? 0), 0.001)));
}

/** Share of leaks up to each day, with its exact interval and the certified bound. */
function course(label, width, days, shown, bound) {
  const top = leaksTop(shown, bound);
  const { svg, y: place_of, slot } = frame(label, width, top, days, percent);
  const y = (value) => place_of(Math.min(value, top));
  const place = new Map(days.map((day, i) => [day.date, LEFT + slot * (i + 0.5)]));
  const at = shown.filter((point) => place.has(point.date));
  const line = (pick, list) => list.map((p) => `${place.get(p.date)},${y(pick(p))}`).join(" ");
  const share = (p) => p.leaks / p.reviewed;
  if (at.length > 1) {
    const edge = `${line((p) => p.high, at)} ${line((p) => p.low, at.toReversed())}`;
    svg.append(drawn("polygon", { points: edge, class: "band" }));
    svg.append(drawn("polyline", { points: line(share, at), class: "course" }));
  }
  for (const p of at.slice(-1)) {
    const x = place.get(p.date);
    if (at.length === 1) svg.append(drawn("rect", { x: x - 8, width: 16, y: y(p.high), height: y(p.low) - y(p.high), class: "band" }));
    svg.append(drawn("circle", { cx: x, cy: y(share(p)), r: 4, class: "point" }));
  }
  if (bound) svg.append(drawn("line", { x1: LEFT, x2: width, y1: y(bound), y2: y(bound), class: "bound" }));
  return svg;
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) => element("tr", {},
    element("th", { scope: "row" }, first), ...rest.map((text) => element("td", {}, String(text)))));
  const whole = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("details", {}, element("summary", {}, "As a table"),
    element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": heads.join(", ") }, whole));
}

function legend(entries) {
  return element("ul", { class: "legend" }, ...entries.map(([kind, name]) => element("li", {},
    drawn("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, drawn("rect", { width: 10, height: 10, rx: 2, class: kind })), name)));
}

/** A picture with its words and its table; axes without anything on them are told in words instead. */
function plot(title, note, something, svg, more, wide = false) {
  const shown = something ? [svg, ...more] : [element("p", { class: "soft nothing" }, "Nothing yet.")];
  return element("figure", wide ? { class: "wide" } : {},
    element("figcaption", {}, title, element("small", {}, note)), ...shown);
}

export function show(data, { tiles, plots, span }) {
  const days = daysOf(data);
  const whole = Math.max(240, plots.clientWidth - PADDING);
  const half = plots.clientWidth < 640 ? whole : (plots.clientWidth - 12) / 2 - PADDING;
  const stopped = data.days.flatMap((day) => Object.entries(day.stopped));
  const total = stopped.reduce((sum, [, count]) => sum + count, 0);
  const [bound, why] = certified(data.certificate);
  tiles.replaceChildren(
    tile("Stopped", String(total), "activations, wiped before anyone heard them."),
    tile("Queued", String(data.queued), `Kept for ${Number(data.retention_days.toFixed(2))} days at most; up to ${data.daily_cap.toLocaleString("en")} a day.`),
    tile("Reviewed", String(data.reviewed), "clips that a person has labelled."),
    tile("Leaks", String(data.leaks), interval(data), data.leaks > 0),
    tile("Certified", bound, why));
  span.textContent = days.length === 1 ? "Today" : `Last ${days.length} days`;

  const totals = new Map();
  for (const [reason, count] of stopped) totals.set(reason, (totals.get(reason) ?? 0) + count);
  const order = [...totals].sort((a, b) => b[1] - a[1]).map(([reason]) => reason);
  const named = order.slice(0, order.length > 5 ? 4 : 5);
  const rest = order.slice(named.length);
  const parts = (day) => [
    ...named.map((reason) => day.stopped[reason] ?? 0),
    ...(rest.length ? [rest.reduce((sum, reason) => sum + (day.stopped[reason] ?? 0), 0)] : []),
  ];
  const sum = (key) => days.reduce((total, day) => total + day[key], 0);
  const names = [...named.map(reasonName), ...(rest.length ? ["other reasons"] : [])];

  const known = data.course.filter((point) => point.reviewed > 0);
  const upper = data.certificate?.upper;
  const cut = known.some((point) => point.high > leaksTop(known, upper)) ? ", cut off at the top" : "";

  plots.replaceChildren(
    plot("Queued", "Clips stored, by day.", sum("stored") > 0,
      columns(`Clips stored by day, ${sum("stored")} in ${days.length} days`, half, days, days.map((d) => [d.stored])),
      [table(["Day", "Stored", "Expired"], days.map((d) => [short(d.date), d.stored, d.expired]))]),
    plot("Reviewed", "Clips labelled, by day.", sum("reviewed") > 0,
      columns(`Clips labelled by day, ${sum("reviewed")} in ${days.length} days`, half, days, days.map((d) => [d.reviewed])),
      [table(["Day", "Reviewed", "Leaks"], days.map((d) => [short(d.date), d.reviewed, d.leaks]))]),
    plot("Leaks", `Share of all clips reviewed up to the day that were accidental. The band is the exact 95\u00a0% interval${cut}.`, data.reviewed > 0,
      course(`Share of leaks: ${interval(data)}`, whole, days, known, upper),
      [...(data.certificate ? [legend([["c1", "certified bound (dashed)"]])] : []),
        table(["Up to", "Reviewed", "Leaks", "Share", "From", "To"], known.map((p) =>
          [short(p.date), p.reviewed, p.leaks, percent(p.leaks / p.reviewed), percent(p.low), percent(p.high)]))], true),
    plot("Stopped", "Activations whose audio was wiped, by day and reason. Nobody heard them.", total > 0,
      columns(`Activations stopped by day and reason, ${total} in all`, whole, days, days.map(parts)),
      [legend(names.map((name, i) => [`c${i + 1}`, name])),
        table(["Day", ...order.map(reasonName)], days.map((d) => [short(d.date), ...order.map((r) => d.stopped[r] ?? 0)]))], true));
}
