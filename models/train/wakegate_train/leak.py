"""Does the verifier hear the word, or the recording it came in?

The wake word's clips differ from the others in codec history, noise floor and runs of digital zeros, and a
network finds such things. Here the word itself is cut out of held-out clips and what is left is judged: the
wake word's clips must then score no higher than the other words' clips of the same source.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from . import corpus, nets
from .data import FLOOR, Pool, Store, take
from .release import logits


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve (Mann-Whitney): 0.5 is chance."""
    order = np.argsort(np.concatenate([positive, negative]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def of_source(store: Store, pool: Pool, source: str) -> Pool:
    """The candidates of unaugmented recordings whose path starts with `source`."""
    rows = [store.table[u] for u in pool.utterance]
    return take(pool, np.array([i for i, row in enumerate(rows) if row["source"].startswith(source)], dtype=int))


def one_word(store: Store, kind: str, word: str) -> Pool:
    """The candidates of a kind that are `word`, or that are no wake word."""
    pool = store.pools[kind]
    return take(pool, np.flatnonzero((pool.word == store.index(word)) | (pool.word < 0)))


def windows(store: Store, net: nets.Verifier, pool: Pool, without_word: bool) -> torch.Tensor:
    """Plain windows around the candidates, with or without the word in them."""
    anchor = np.round(pool.anchor).astype(int)
    features, _ = store.window(pool.utterance, anchor - net.before, net.before + net.after)
    if without_word:
        place = torch.arange(net.before + net.after)[None, :]
        start = torch.from_numpy(net.before - (pool.anchor - pool.start) - 8)[:, None]
        features[(place >= start) & (place < net.before + 12)] = FLOOR
    return features


def main() -> None:
    """Prints the areas with and without the word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with pack/ and nets/")
    parser.add_argument("--word", default="alexa")
    parser.add_argument("--words", default=",".join(corpus.WORDS), help="the words that the networks were trained for")
    parser.add_argument("--source", default="picovoice_wakeword", help="the source that holds the word and others")
    args = parser.parse_args()
    words = args.words.split(",")
    stores = [Store(args.work / "pack", split, words) for split in ("dev", "test")]
    net = nets.verifier(args.work / "nets" / "verifier.pt", len(stores[0].words))
    net = net.only(stores[0].index(args.word))
    for name, without in (("with the word", False), ("without the word", True)):
        scores = []
        for kind in ("real_address", "real_other"):
            parts = [windows(s, net, of_source(s, one_word(s, kind, args.word), args.source), without) for s in stores]
            scores.append(logits(net, torch.cat(parts))[0])
        print(f"{name}: area {area(*scores):.3f}, {len(scores[0])} against {len(scores[1])} clips")


if __name__ == "__main__":
    main()
