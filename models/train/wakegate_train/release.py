"""From checkpoints to a model package: calibration, the two ONNX files and the manifest."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from . import corpus, export, nets, warm
from .data import HARD, Augment, Pool, Store, join, take

MANIFEST = """\
# A wakegate model package. `wakegate model check` validates it.
schema = 1
name = "{name}"
version = {version}
wake_word = "{word}"
languages = ["en"]
licence = "{licence}"

{frontend}
[spotter]
file = "spotter.onnx"
sha256 = "{spotter_sha256}"
frames_per_step = 8
threshold = {spotter_threshold}
patience_steps = 1
peak_search_s = 0.32
refractory_s = 1.0
end_offset_s = {end_offset_s}
word_s = {word_s}

[verifier]
file = "verifier.onnx"
sha256 = "{verifier_sha256}"
before_s = {before_s}
after_s = {after_s}
labels = ["intended", "not_wake_word", "not_addressed"]

[verifier.word]
after_s = 0.05
at = 0.95

[decision]
intended_at = {intended_at}
accidental_below = {accidental_below}
"""

UNMEASURED = """\
# {name}-{version}

Nothing has been measured yet: `python -m wakegate_train.report` and `.card` do that and write this file anew.
"""


def dev_windows(store: Store, net: nets.Verifier | nets.Paired, n: int, seed: int) -> tuple[torch.Tensor, Pool]:
    """Augmented windows of speakers that training never saw, each kind equally often, near words as they can be heard."""
    rng = np.random.default_rng(seed)
    parts = [take(pool, rng.integers(len(pool), size=n)) for pool in store.pools.values()]
    if len(store.running):
        parts.append(store.anywhere(store.running, n, rng, 0))
    pool = join(parts)
    anchor = np.round(pool.anchor + np.clip(rng.normal(0, 5, len(pool)), -15, 15)).astype(int)
    features, _ = store.window(pool.utterance, anchor - net.before, net.before + net.after)
    least = np.where(store.is_near[pool.utterance], HARD, 0.0)
    return Augment(store, rng)(features, (net.before - 70, net.before + 5), strong=0.0, least=least), pool


@torch.no_grad()
def logits(net: nets.Verifier | nets.Paired, features: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Raw logits of both heads of a network of one word, in batches."""
    net.eval()
    parts = [net.judge(part) for part in features.split(256)]
    return torch.cat([p.wake[:, 0] for p in parts]).numpy(), torch.cat([p.addressed for p in parts]).numpy()


def fit(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Scale and shift of a logit (Platt 1999) by balanced log-loss: both classes weigh the same."""
    weight = np.where(labels > 0, 0.5 / max(1, labels.sum()), 0.5 / max(1, (1 - labels).sum()))

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] * scores + parameters[1]
        return float((weight * np.logaddexp(0, np.where(labels > 0, -z, z))).sum())

    scale, shift = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(scale), float(shift)


def calibrate(net: nets.Verifier | nets.Paired, store: Store, word: str, n: int = 1500, surer: float = 0.0) -> str:
    """Fits the one word's calibration on the dev speakers and stores it in the network; says what it did.

    `surer` is added to the word's logit. The windows hold near words as often as anything else, a home hardly ever; and
    `p_intended` is the product of both scores, so that how sure the word is says what is asked of `addressed`.
    """
    torch.manual_seed(3)
    features, pool = dev_windows(store, net, n, 3)
    wake, said = logits(net, features)
    known = pool.addressed >= 0
    pairs = [fit(wake, (pool.word == store.index(word)).astype(float)), fit(said[known], pool.addressed[known])]
    pairs[0] = (pairs[0][0], pairs[0][1] + surer)
    net.calibration.copy_(torch.tensor(pairs))
    return f"calibration on {len(pool)} dev windows: wake {pairs[0]}, addressed {pairs[1]} (scale, shift)"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frontend_section(settings: Path) -> str:
    """The front end's settings as the manifest's section."""
    lines = [line for line in settings.read_text().splitlines() if line and not line.startswith("#")]
    return "[frontend]\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Writes the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with pack/ and nets/")
    parser.add_argument("--out", type=Path, required=True, help="the model directory to write")
    parser.add_argument("--word", default="alexa")
    parser.add_argument("--words", default=",".join(corpus.WORDS), help="the words that the networks were trained for")
    parser.add_argument(
        "--verifier", type=Path, nargs="+", help="checkpoints whose weights' mean is released (default: WORK/nets/verifier.pt)"
    )
    parser.add_argument("--surer", type=float, default=0.0, help="added to the word's calibrated logit, as chosen on dev clips")
    parser.add_argument("--intent", type=Path, help="a package whose answer to whether the word was addressed goes with the new word")
    parser.add_argument("--own", type=float, default=0.0, help="with --intent: share of the new network's own answer, 0 to 1")
    parser.add_argument("--name", help="the package's name (default: the word, with _ for spaces)")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--licence", default="CC-BY-SA-4.0")
    parser.add_argument("--spotter-threshold", type=float, default=0.15)
    parser.add_argument("--intended-at", type=float, default=0.8)
    parser.add_argument("--accidental-below", type=float, default=0.4)
    parser.add_argument("--end-offset", type=float, default=0.12, help="seconds from the word's end to the spotter's peak")
    parser.add_argument("--word-seconds", type=float, default=0.6)
    parser.add_argument("--settings", type=Path, default=Path(__file__).parent.parent / "frontend.toml")
    args = parser.parse_args()
    store = Store(args.work / "pack", "dev", args.words.split(","))
    if args.word not in store.words:
        raise SystemExit(f"expected one of {', '.join(store.words)}, got {args.word!r}; hint: --words as in train")
    word = store.index(args.word)
    spotter = nets.Spotter(len(store.words))
    spotter.load_state_dict(torch.load(args.work / "nets" / "spotter.pt"))
    verifier = nets.verifier(args.verifier or args.work / "nets" / "verifier.pt", len(store.words))
    spotter, verifier = spotter.only(word), verifier.only(word)
    if args.intent:
        hear = lambda net: net.judge(dev_windows(store, net, 20, 3)[0])
        verifier = nets.Paired(verifier, warm.verifier(args.intent / "verifier.onnx", 1, hear, "intent"), args.own).eval()
    print(calibrate(verifier, store, args.word, surer=args.surer))
    export.spotter(spotter, args.out / "spotter.onnx")
    export.verifier(verifier, args.out / "verifier.onnx")
    name = args.name or args.word.replace(" ", "_")
    manifest = MANIFEST.format(
        name=name,
        version=args.version,
        word=args.word,
        licence=args.licence,
        frontend=frontend_section(args.settings),
        spotter_sha256=sha256(args.out / "spotter.onnx"),
        verifier_sha256=sha256(args.out / "verifier.onnx"),
        spotter_threshold=args.spotter_threshold,
        end_offset_s=args.end_offset,
        word_s=args.word_seconds,
        before_s=verifier.before / 100,
        after_s=verifier.after / 100,
        intended_at=args.intended_at,
        accidental_below=args.accidental_below,
    )
    (args.out / "manifest.toml").write_text(manifest)
    card = args.out / "MODEL_CARD.md"
    if not card.exists():
        # A package is not whole without a card, and no figures can be measured with half a package.
        card.write_text(UNMEASURED.format(name=name, version=args.version))


if __name__ == "__main__":
    main()
