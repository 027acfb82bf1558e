"""When may a verdict come before the verifier's window has ended? Measures, chooses, writes the section.

Every candidate on clips and streams of the `dev` speakers is judged at the end of its window and at moments
before it, as the pipeline does it (src/pipeline/early.rs): *held*, what was heard with its last frame repeated to
the window's end, and *moved*, the window that ends at the moment. An early `intended` needs both to be sure and
the speaker to pause: while speech goes on, nobody knows yet whether it is a request or a story about the word.

    python -m wakegate_train.early --binary ../../target/release/wakegate --model ../alexa-2 \\
        --recordings REC --synthetic WORK/synth --out WORK/early --write

chooses the quickest rule by which not one unwanted candidate passes early that would not pass at the end and at
most 1 % of the wanted ones are lost, and writes it to the manifest; where no rule does that, or the clips are too
few to say, it writes none.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from . import augment, corpus, intervals, trials
from . import utterances as utt
from .evaluate import SEED, Bench
from .frontend import features

HOP, WINDOW = 160, 400
"""Samples of the front end's hop and window."""
LOW_FLOOR = float(np.log(1e-5))
"""Log-mel of digital silence, by the shipped front end."""
MOMENTS = (30, 40, 50, 60)
"""Frames after the word's estimated end at which candidates are judged."""
CONSECUTIVE = 2
"""Moments in a row that have to agree."""
PAUSE = 20
"""Frames before a moment whose loudness says whether the speaker pauses."""
SPLICES = 8
"""Sentences of each sort that a real recording of the word is spliced into."""
RUNNING_THRESHOLD = 0.02
"""Spotter's posterior from which a moment of running audio is a candidate here: more of them than a device sees."""
INTENDED_AT = (0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
GRID = (INTENDED_AT, (0.5, 0.6, 0.7, 0.8, 0.9), (1.0, 1.5, 2.0), (0.0, 0.05, 0.1, 0.15))
"""Bounds that are tried: intended_at, moved_at, quiet_within, accidental_below."""
LEAST_UNWANTED, LEAST_WANTED = 300, 100
"""Candidates below which no rule is written: too few to know."""
MOST_LOST = 0.01
"""Share of the wanted candidates that an early `accidental` may lose."""


@dataclass
class Candidate:
    """A candidate with its scores; times are frames after the word's estimated end."""

    group: str
    wanted: bool
    source: str
    text: str
    found: int
    """Frames heard when the spotter had found it."""
    final: float
    """p_intended at the window's end."""
    held: list[float]
    """p_intended at each moment, the rest of the window filled with the last frame."""
    moved: list[float]
    """p_intended of the window that ends at each moment."""
    loud: list[float]
    """How much louder the last PAUSE frames were than the quiet of the window, in natural-log mel."""


@dataclass(frozen=True)
class Rule:
    """The bounds of early verdicts, as the manifest's [verifier.early] has them."""

    intended_at: float
    moved_at: float
    quiet_within: float
    accidental_below: float

    def easier(self) -> Rule:
        """The rule with every bound a step easier: what is chosen must not stand at the edge."""
        return Rule(self.intended_at - 0.005, self.moved_at - 0.05, self.quiet_within + 0.25, self.accidental_below + 0.05)

    def section(self) -> str:
        """The manifest's section."""
        after = ", ".join(f"{moment / 100:g}" for moment in MOMENTS)
        return (
            f"[verifier.early]\nafter_s = [{after}]\nintended_at = {self.intended_at:g}\nmoved_at = {self.moved_at:g}\n"
            f"pause_s = {PAUSE / 100:g}\nquiet_within = {self.quiet_within:g}\n"
            f"accidental_below = {self.accidental_below:g}\nconsecutive = {CONSECUTIVE}\n"
        )


class Networks:
    """A package's two networks in ONNX Runtime, driven as the pipeline drives them."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.manifest = tomllib.loads((package / "manifest.toml").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        load = lambda part: onnxruntime.InferenceSession(package / self.manifest[part]["file"], options)
        self.spotter, self.verifier = load("spotter"), load("verifier")
        inputs = [port for port in self.spotter.get_inputs() if port.name != "features"]
        self.states = {port.name: np.zeros(port.shape, np.float32) for port in inputs}
        self.before, self.after = (round(self.manifest["verifier"][f"{side}_s"] * 100) for side in ("before", "after"))

    def posteriors(self, frames: np.ndarray) -> list[float]:
        """The spotter's posterior of each whole step."""
        step, states, found = self.manifest["spotter"]["frames_per_step"], self.states, []
        for first in range(0, len(frames) - step + 1, step):
            posterior, *after = self.spotter.run(None, {"features": frames[None, first : first + step], **states})
            states = dict(zip(self.states, after, strict=True))
            found.append(float(posterior[0, 0]))
        return found

    def candidates(self, frames: np.ndarray, threshold: float) -> Iterator[tuple[int, int]]:
        """(frame of the word's estimated end, frames heard when found) as src/decision/detector.rs finds them."""
        spotter = self.manifest["spotter"]
        assert spotter["patience_steps"] == 1, "expected a package with a patience of one step, as the recipe makes them"
        samples = lambda key: round(spotter[key] * corpus.RATE)
        best = last = until = None
        for step, posterior in enumerate(self.posteriors(frames)):
            end = ((step + 1) * spotter["frames_per_step"] - 1) * HOP + WINDOW
            if until is None:
                if posterior < threshold or (last is not None and end - last < samples("refractory_s")):
                    continue
                best, until = (posterior, end), end + samples("peak_search_s")
            elif end <= until and posterior > best[0]:
                best = (posterior, end)
            if end >= until:
                last, until = best[1], None
                yield (last - samples("end_offset_s") + HOP // 2) // HOP, (end - WINDOW) // HOP + 1

    def intended(self, window: np.ndarray) -> float:
        """p_intended of a window [frames, bands]."""
        return float(self.verifier.run(["posteriors"], {"features": window[None]})[0][0, 0])

    def judged(self, frames: np.ndarray, centre: int) -> dict:
        """The scores of a Candidate whose word ends at frame `centre`."""
        room = self.before + self.after
        padded = np.full((len(frames) + 2 * room, frames.shape[1]), LOW_FLOOR, np.float32)
        padded[room : room + len(frames)] = frames
        first, made = room + centre - self.before, defaultdict(list)
        whole = padded[first : first + room]
        for moment in MOMENTS:
            heard = whole[: self.before + moment]
            held = np.concatenate([heard, np.repeat(heard[-1:], self.after - moment, axis=0)])
            end = first + len(heard)
            made["held"].append(self.intended(held))
            made["moved"].append(self.intended(padded[end - room : end]))
            made["loud"].append(loudness(heard[max(0, self.before - centre) :]))
        return {"final": self.intended(whole), **made}


def loudness(heard: np.ndarray) -> float:
    """Mean log-mel of the last PAUSE of the frames heard over that of their quiet, the frame at a tenth of the rank."""
    levels = heard.mean(axis=1)
    return float(levels[-PAUSE:].mean() - np.sort(levels)[len(levels) // 10])


def cuts(speech: utt.Utterance) -> list[tuple[str, float, float]]:
    """Places where running speech may be cut, as phones for `utt.fragment`: where it sets in after a dip."""
    frames = speech.samples[: len(speech.samples) // HOP * HOP].reshape(-1, HOP)
    power = 10 * np.log10((frames**2).mean(axis=1) + 1e-9)
    low, high = np.quantile(power, (0.3, 0.5))
    rises = [k for k in range(5, len(power) - 160) if power[k] <= low and power[k + 1 : k + 6].mean() > high]
    return [("AH", 0.01 * k + 0.01, 0.01 * k + 0.06) for k in rises]


def pauses(spliced: utt.Utterance) -> bool:
    """Whether the speech after the word of a splice rests for 0.2 s within the first 0.6 s.

    A real recording of the word is a call. One that stands between silences stays a call, whoever speaks later.
    """
    after = spliced.samples[int((spliced.events[0].end + 0.05) * corpus.RATE) :]
    frames = after[: len(after) // HOP * HOP].reshape(-1, HOP)
    if len(frames) < 40:
        return False
    power = 10 * np.log10((frames**2).mean(axis=1) + 1e-9)
    quiet = "".join("q" if p < np.quantile(power, 0.8) - 20 else "s" for p in power[:55])
    return "q" * 20 in quiet


def splices(bench: Bench, word: str) -> dict[tuple[str, bool], list[tuple[str, np.ndarray]]]:
    """Real recordings of the word put before requests and into running speech, of the split's speakers alone."""
    rng, spoken = np.random.default_rng(5), defaultdict(list)
    for row in bench.rows:
        own = row.kind == "wakeword" and row.label == word
        if own or row.dataset.startswith("librispeech") or row.dataset == "picovoice_speech2intent":
            samples = augment.trim_zeros(corpus.read(bench.folder / row.path))
            made = utt.real(row, samples, None, {word})
            spoken["word" if own else made.group].append(made)
    read = [u for group, some in spoken.items() if group.startswith("librispeech") for u in some]
    for speech in read:
        speech.phones = cuts(speech)
    read = [speech for speech in read if len(speech.phones) > 2]
    requests = spoken["picovoice_speech2intent"]
    for request in requests:
        request.samples = request.samples[int(max(0.0, utt.endpoints(request.samples)[0] - 0.03) * corpus.RATE) :]
    made = defaultdict(list)
    for u, k in itertools.product(spoken["word"] if read and requests else [], range(SPLICES)):
        for said in (True, False):
            joined = utt.spliced(u, read, requests, said, rng)
            name = "real, before a request" if said else "real, called, then others speak" if pauses(joined) else "real, in speech"
            made[name, said].append((f"{k}_{u.source}", joined.samples))
    return made


def sets(bench: Bench, word: str, folder: Path) -> Iterator[tuple[str, bool, list[tuple[Path, str, str]]]]:
    """(name, wanted, [(path, source, text)]) of everything that is judged."""
    shown = lambda snr: "" if snr is None else f", {snr} dB"
    place = lambda name: folder / re.sub(r"\W+", "_", name)
    for name, group in bench.clips(word, folder).items():
        yield name, group.wanted, [(clip.path, clip.source, clip.text) for clip in group.clips]
        if group.role in ("address", "mention", "soundalike"):
            rows = [(clip.source, bench.synthetic, clip.text, clip.voice) for clip in group.clips]
            for snr in (10, 0):
                spoken = [(source, corpus.read(root / source)) for source, root, _, _ in rows]
                paths = trials.write(spoken, snr, place(name + shown(snr)), SEED)
                yield name + shown(snr), group.wanted, [(p, row[0], row[2]) for p, row in zip(paths, rows, strict=True)]
    for (name, said), made in splices(bench, word).items():
        for snr in (None, 10, 0):
            paths = trials.write(made, snr, place(name + shown(snr)), SEED)
            yield name + shown(snr), said, [(p, source, "") for p, (source, _) in zip(paths, made, strict=True)]
    for name, paths in bench.streams(word).items():
        yield f"running: {name}", False, [(path, path.name, "") for path in paths]


def measure(bench: Bench, networks: Networks, word: str, folder: Path) -> list[Candidate]:
    """Every candidate of every set; of running audio also those that the spotter would hardly propose."""
    found = []
    for name, wanted, clips in sets(bench, word, folder / "clips"):
        heard = features(bench.binary, [path for path, _, _ in clips], "--model", networks.package)
        running = name.startswith("running")
        threshold = RUNNING_THRESHOLD if running else networks.manifest["spotter"]["threshold"]
        before = len(found)
        for path, source, text in clips:
            frames = heard[str(path)]
            silence = np.full((2 * networks.after, frames.shape[1]), LOW_FLOOR, np.float32)
            for centre, when in networks.candidates(np.concatenate([frames, silence]), threshold):
                scores = networks.judged(np.concatenate([frames, silence]), centre)
                found.append(Candidate(name, wanted, source, text, when - centre, **scores))
        print(f"{name}: {len(clips)} files, {len(found) - before} candidates", flush=True)
    return found


class Table:
    """Candidates as arrays, for many rules at once."""

    def __init__(self, candidates: list[Candidate], after: int, intended_at: float) -> None:
        column = lambda key: np.array([getattr(c, key) for c in candidates], dtype=np.float64)
        self.candidates, self.after = candidates, after
        self.wanted, self.passes = column("wanted") > 0, column("final") >= intended_at
        self.held, self.moved, self.loud, self.found = map(column, ("held", "moved", "loud", "found"))

    def apply(self, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
        """Early verdicts (1 intended, -1 accidental, 0 none) and the frames after the word's end of every verdict."""
        verdict, streak = np.zeros(len(self.wanted), int), np.zeros(len(self.wanted), int)
        last, when = verdict.copy(), np.full(len(self.wanted), float(self.after))
        for k, moment in enumerate(MOMENTS):
            sure = (self.held[:, k] >= rule.intended_at) & (self.loud[:, k] <= rule.quiet_within)
            stands = (sure & (self.moved[:, k] >= rule.moved_at)).astype(int)
            stands[self.held[:, k] < rule.accidental_below] = -1
            streak = np.where(stands == 0, 0, np.where(stands == last, streak + 1, 1))
            last = stands
            now = (verdict == 0) & (streak >= CONSECUTIVE)
            verdict[now], when[now] = stands[now], moment
        return verdict, np.maximum(when, self.found)

    def leaked(self, verdict: np.ndarray) -> np.ndarray:
        """The unwanted candidates that pass early and would not pass at the end."""
        return (verdict == 1) & ~self.wanted & ~self.passes

    def lost(self, verdict: np.ndarray) -> np.ndarray:
        """The wanted candidates that would pass at the end and are rejected early."""
        return (verdict == -1) & self.wanted & self.passes

    def choose(self) -> Rule | None:
        """The rule that is quickest for the wanted ones of those that keep the criterion with a step to spare."""
        unwanted, wanted = ~self.wanted & ~self.passes, self.wanted & self.passes
        if unwanted.sum() < LEAST_UNWANTED or wanted.sum() < LEAST_WANTED:
            return None
        kept = []
        for bounds in itertools.product(*GRID):
            rule = Rule(*bounds)
            verdict, _ = self.apply(rule.easier())
            if not self.leaked(verdict).any() and self.lost(verdict).sum() <= MOST_LOST * wanted.sum():
                verdict, when = self.apply(rule)
                kept.append((when[wanted].mean() + 0.1 * when[unwanted].mean(), bounds, rule))
        return min(kept, key=lambda one: one[:2])[2] if kept else None


def figures(table: Table, rule: Rule) -> dict:
    """What the rule does, by set, as JSON can hold it."""
    verdict, when = table.apply(rule)
    rows = {}
    for name in dict.fromkeys(c.group for c in table.candidates):
        mine = np.array([c.group == name for c in table.candidates])
        counted = lambda mask, mine=mine: int((mask & mine).sum())
        rows[name] = {
            "wanted": bool(table.wanted[mine][0]),
            "n": int(mine.sum()),
            "pass": counted(table.passes),
            "early_intended": counted(verdict == 1),
            "early_accidental": counted(verdict == -1),
            "leaked": counted(table.leaked(verdict)),
            "lost": counted(table.lost(verdict)),
            "gained": counted((verdict == 1) & table.wanted & ~table.passes),
            "after_s": [round(float(np.percentile(when[mine], q)) / 100, 3) for q in (50, 95, 99)],
        }
    unwanted, wanted = ~table.wanted & ~table.passes, table.wanted & table.passes
    leaks, losses = int(table.leaked(verdict).sum()), int(table.lost(verdict).sum())
    return {
        "rule": asdict(rule),
        "leaked": intervals.shown(leaks, int(unwanted.sum())),
        "lost": intervals.shown(losses, int(wanted.sum())),
        "sets": rows,
    }


def shown(found: dict) -> str:
    """The figures as Markdown."""
    lines = [
        f"Unwanted candidates that pass early and would not pass at the end: {found['leaked']}; wanted ones lost: {found['lost']}.",
        "",
        "| candidates of | n | pass at the end | early intended | early accidental | leaked, lost, gained | verdict after, s: p50, p95, p99 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in found["sets"].items():
        after = ", ".join(f"{seconds:.2f}" for seconds in row["after_s"])
        lines.append(
            f"| {name} | {row['n']} | {row['pass']} | {row['early_intended']} | {row['early_accidental']} | "
            f"{row['leaked']}, {row['lost']}, {row['gained']} | {after} |"
        )
    return "\n".join(lines) + "\n"


def with_section(manifest: str, rule: Rule | None) -> str:
    """The manifest with the rule's section instead of any other, or without one."""
    bare = re.sub(r"\[verifier\.early\]\n(?:[^\[\n].*\n|\n)*", "", manifest)
    return bare if rule is None else bare.replace("[decision]\n", f"{rule.section()}\n[decision]\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--binary", type=Path, required=True, help="the wakegate binary")
    parser.add_argument("--model", type=Path, required=True, help="the package")
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for candidates.json, early.json, early.md and the clips")
    parser.add_argument("--write", action="store_true", help="put the rule into the package's manifest, or take it out")
    args = parser.parse_args()
    networks = Networks(args.model)
    bench = Bench(args.binary, args.model, args.recordings, args.synthetic, {"dev"})
    args.out.mkdir(parents=True, exist_ok=True)
    kept, of = args.out / "candidates.json", [networks.manifest[part]["sha256"] for part in ("spotter", "verifier")]
    measured = json.loads(kept.read_text()) if kept.exists() else {}
    if measured.get("networks") != of:
        found = measure(bench, networks, networks.manifest["wake_word"], args.out)
        measured = {"networks": of, "candidates": [asdict(candidate) for candidate in found]}
        kept.write_text(json.dumps(measured))
    candidates = [Candidate(**row) for row in measured["candidates"]]
    table = Table(candidates, networks.after, networks.manifest["decision"]["intended_at"])
    rule = table.choose()
    if rule is None:
        print("no rule of early verdicts keeps the criterion, or the candidates are too few: every verdict comes at the window's end")
    else:
        found = figures(table, rule)
        (args.out / "early.json").write_text(json.dumps(found, indent=1))
        (args.out / "early.md").write_text(shown(found))
        print(rule.section(), shown(found), sep="\n")
    if args.write:
        path = args.model / "manifest.toml"
        path.write_text(with_section(path.read_text(), rule))


if __name__ == "__main__":
    main()
