"""Compares verifier checkpoints on windows of the `dev` speakers, in noise as training hears it.

    python -m wakegate_train.windows --work WORK WORK/nets/verifier.pt OTHER.pt

With `--split train` it says how much better they are on the speakers that they know.

Clips tell little between two checkpoints: there are dozens of them. Here are thousands of windows of the same
speakers, in three sorts of noise, and a threshold for each checkpoint that lets MOST of the hard negatives pass:
calibration plays no part. Prints a table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import corpus, nets, warm
from .data import Augment, Pool, Store, join, take

MOST = 0.02
"""Share of the hard negatives that pass at the threshold."""
MANY, SOME = 900, 300
"""Windows of a kind that is told of by itself, and of any other."""
PHASES = 8
"""Frames by which a window is heard later, in steps of 20 ms: what a score must not hang on."""
WANTED = ("real_address", "neural_address", "formant_address")
NEGATIVE = (
    "neural_mention", "neural_soundalike", "neural_neighbour", "neural_passing", "neural_call", "real_mention", "real_passing", "real_call",
    "real_other", "running", "noise",
)  # fmt: skip
"""Kinds that must not pass for any wake word."""


@dataclass
class Windows:
    """Augmented windows [n, F + PHASES, M] of one split's speakers with what they are."""

    features: Tensor
    pool: Pool
    kinds: np.ndarray

    def of(self, *kinds: str) -> np.ndarray:
        """Which windows are of one of the kinds."""
        return np.isin(self.kinds, kinds)


def gather(store: Store, before: int, after: int, seed: int = 4) -> Windows:
    """The same windows in the same noise for every checkpoint."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    parts, kinds = [], []
    for kind, pool in store.pools.items():
        count = MANY if kind in WANTED or kind in NEGATIVE[:3] else SOME
        parts.append(take(pool, rng.integers(len(pool), size=count)))
        kinds += [kind] * count
    for kind, some, said in (("running", store.running, 0), ("noise", store.noise, -1)):
        parts.append(store.anywhere(some, MANY, rng, said))
        kinds += [kind] * MANY
    pool = join(parts)
    anchor = np.round(pool.anchor + np.clip(rng.normal(0, 5, len(pool)), -15, 15)).astype(int)
    features, _ = store.window(pool.utterance, anchor - before, before + after + PHASES)
    return Windows(Augment(store, rng)(features, (before - 70, before + 5), strong=0.0), pool, np.array(kinds))


def verifier(path: Path, words: int) -> nets.Verifier | nets.Paired:
    """The network of a checkpoint, or of a package whose word is the only one."""
    if not path.is_dir():
        return nets.verifier(path, words).eval()
    file = path / "verifier.onnx"
    hear = lambda net: net.judge(torch.randn(64, net.before + net.after, 40))
    net = warm.verifier(file, words, hear)
    return (nets.Paired(net, warm.verifier(file, words, hear, "intent")) if warm.paired(file) else net).eval()


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / 2 / len(negative))


@torch.no_grad()
def compare(net: nets.Verifier | nets.Paired, windows: Windows, words: list[str]) -> dict[str, float]:
    """Figures of one checkpoint, in per cent."""
    phases = []
    for late in range(0, PHASES, 2):
        heard = windows.features[:, late : late + net.before + net.after]
        judged = [net.judge(part) for part in heard.split(256)]
        phases.append([torch.cat([getattr(j, name) for j in judged]).numpy() for name in ("wake", "addressed")])
    word = windows.pool.word
    # A window of a wake word is judged for that word, any other for the word that it comes nearest to.
    own = lambda wake: np.where(word >= 0, wake[np.arange(len(wake)), np.maximum(word, 0)], wake.max(1))
    scores = [1 / (1 + np.exp(-own(wake))) / (1 + np.exp(-said)) for wake, said in phases]
    score, wake, said = scores[0], own(phases[0][0]), phases[0][1]
    cut = np.quantile(score[windows.of(*NEGATIVE)], 1 - MOST)
    found = {f"{kind}, missed": (score[windows.of(kind)] < cut).mean() for kind in WANTED if windows.of(kind).any()}
    real = windows.of("real_address")
    found |= {f"real {name}, missed": (score[real & (word == i)] < cut).mean() for i, name in enumerate(words)}
    loose = np.quantile(score[windows.of(*WANTED[:2])], 0.1)
    found |= {f"{kind}, passed": (score[windows.of(kind)] >= loose).mean() for kind in NEGATIVE if windows.of(kind).any()}
    wanted = windows.of(*WANTED[:2])
    for kind in NEGATIVE[1:3]:
        if windows.of(kind).any():
            found[f"{kind}, area of p_wake_word"] = area(wake[wanted], wake[windows.of(kind)])
            found[f"{kind}, area of p_intended"] = area(score[wanted], score[windows.of(kind)])
    both = np.array([one >= loose for one in scores])
    flips = both.any(0) & ~both.all(0)
    found |= {f"{kind}, flip": flips[windows.of(kind)].mean() for kind in (*WANTED[:2], *NEGATIVE[:3]) if windows.of(kind).any()}
    known = windows.pool.addressed
    found["addressed, area"] = area(said[known == 1], said[known == 0])
    return {name: 100 * float(value) for name, value in found.items()}


def main() -> None:
    """Prints a table with a column for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder with pack/")
    parser.add_argument("--words", default=",".join(corpus.WORDS), help="the words that the networks were trained for")
    parser.add_argument("--split", choices=["dev", "train"], default="dev", help="whose windows")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="files that train.py wrote, or packages")
    args = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(args.work / "pack", args.split, args.words.split(","))
    windows = gather(store, 200, 80)
    columns = [compare(verifier(path, len(store.words)), windows, store.words) for path in args.checkpoints]
    lines = ["| % | " + " | ".join(path.name for path in args.checkpoints) + " |", "| --- " * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{column[name]:.1f}" for column in columns) + " |" for name in columns[0]]
    print(f"{len(windows.pool)} windows; *missed* where {100 * MOST:.0f} % of the negatives pass, *passed* where 10 % of")
    print("the real and neural addresses are missed\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
