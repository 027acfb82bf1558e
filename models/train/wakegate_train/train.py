"""Trains the verifier and the spotter from a pack, then mines their mistakes and trains on.

Losses: cross-entropy of each wake word and of addressed (masked where unknown), cross-entropy of the
phones as a second task (it is what teaches 200 recordings' worth of a word to be phonetics), and the
distance of the word's ends.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import corpus, nets, warm
from .data import Augment, Pool, Store
from .losses import masked_mean, phone_loss, verifier_loss
from .mining import mine
from .sampling import Batch, Sampler, SequenceSampler

LOGGED = 50
"""Steps between two checkpoints."""


class Average:
    """Exponential moving average of the weights (Polyak averaging): what is exported."""

    def __init__(self, net: nn.Module, decay: float = 0.998) -> None:
        self.net, self.decay = copy.deepcopy(net).eval(), decay

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Moves the average towards `net`; counters and buffers are copied."""
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - self.decay)
            else:
                mine.copy_(theirs)


def measure_scale(net: nn.Module, store: Store) -> None:
    """Sets the networks' input shift and scale from augmented training frames."""
    rng = np.random.default_rng(0)
    augment = Augment(store, rng)
    pool = store.anywhere(store.speech, 512, rng, -1)
    frames, _ = store.window(pool.utterance, pool.anchor - 100, 200)
    frames = augment(frames, None)
    net.normalise.mean.copy_(frames.mean((0, 1)))
    net.normalise.scale.copy_(1 / frames.std((0, 1)))


def schedule(step: int, steps: int, peak: float) -> float:
    """Learning rate: linear warm-up over 3 %, then half a cosine to 1 % of the peak."""
    warm = max(1, steps * 3 // 100)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (step - warm) / (steps - warm))))


class Loop:
    """Optimiser, averaging, log and checkpoints around a loss."""

    def __init__(self, name: str, net: nn.Module, steps: int, peak: float, out: Path, device: str) -> None:
        self.name, self.net, self.steps, self.peak, self.out, self.device = name, net, steps, peak, out, device
        # A short run has moved away from where it began, and its average with it.
        self.average = Average(net, min(0.998, 1 - 15 / max(16, steps)))
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=peak, weight_decay=0.02)
        self.seen: dict[str, float] = {}
        self.began = time.monotonic()

    def step(self, step: int, compute) -> None:
        """One step; `compute()` gives the loss and its parts."""
        for group in self.optimiser.param_groups:
            group["lr"] = schedule(step, self.steps, self.peak)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss, parts = compute()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.average.update(self.net)
        for key, value in parts.items():
            self.seen[key] = 0.98 * self.seen.get(key, value.item()) + 0.02 * value.item()
        if step % LOGGED == LOGGED - 1 or step + 1 == self.steps:
            text = " ".join(f"{key} {value:.4f}" for key, value in self.seen.items())
            print(f"{self.name} {step + 1}/{self.steps} {time.monotonic() - self.began:.0f} s {text}", flush=True)
            torch.save(self.average.net.state_dict(), self.out / f"{self.name}.pt")


def train_verifier(
    net: nets.Verifier, sampler: Sampler, steps: int, batch: int, peak: float, out: Path, device: str = "cpu",
    teacher: nets.Verifier | None = None,
) -> nets.Verifier:  # fmt: skip
    """Trains `net`; returns the averaged copy. `addressed` keeps to what the `teacher` makes of each window."""
    loop = Loop("verifier", net.to(device).train(), steps, peak, out, device)

    def compute() -> tuple[Tensor, dict]:
        given = sampler.batch(batch)
        given = Batch(*(getattr(given, name).to(device) for name in Batch.__dataclass_fields__))
        # Phones first, the word later: the encoder should hear speech before it hears 200 clips.
        phone_weight = 1.0 if done < steps // 3 else 0.5
        held = None
        if teacher is not None:
            with torch.no_grad():
                held = torch.sigmoid(teacher.judge(given.features).addressed.float())
        return verifier_loss(net.judge(given.features), given, net.times, phone_weight, held)

    for done in range(steps):
        loop.step(done, compute)
    return loop.average.net.cpu()


def train_spotter(
    net: nets.Spotter, sampler: SequenceSampler, steps: int, batch: int, peak: float, out: Path, device: str = "cpu"
) -> nets.Spotter:
    """Trains `net`; returns the averaged copy."""
    loop = Loop("spotter", net.to(device).train(), steps, peak, out, device)

    def compute() -> tuple[Tensor, dict]:
        features, targets, phones = (t.to(device) for t in sampler.batch(batch))
        logits, body, _ = net.run(features, [s.to(device) for s in net.fresh(batch)])
        logits = logits.float()
        each = F.binary_cross_entropy_with_logits(logits, targets.clamp_min(0) * 0.98 + 0.01, reduction="none")
        wake = masked_mean(each, (targets >= 0).float() * torch.where(targets > 0, 3.0 * targets.shape[1], 1.0))
        # A causal net has heard little of the phone it stands in: judge it 80 ms later.
        phones = phone_loss(net.phones(body).float()[:, :, 2:], phones[:, 3::4][:, :-2])
        return 4 * wake + 0.3 * phones, {"wake": wake, "phones": phones}

    for done in range(steps):
        loop.step(done, compute)
    return loop.average.net.cpu()


def kept_mined(path: Path | None, find: Callable[[], Pool]) -> Pool:
    """The mined mistakes of an earlier run on the same pack in the file, or those that `find` finds, kept there."""
    if path is None:
        return find()
    if not path.exists():
        np.savez(path, **vars(find()))
    with np.load(path) as kept:
        return Pool(**kept)


def main() -> None:
    """Trains both networks: a first round, mining, a second round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with pack/; checkpoints go to WORK/nets")
    parser.add_argument("--words", default=",".join(corpus.WORDS), help="the wake words, in the order of their heads")
    parser.add_argument(
        "--start", type=Path, nargs="+", metavar="MODEL", help="begin with this package's weights, and with these packages' heads"
    )
    parser.add_argument("--phones", help="CMUdict phones of the words that the dictionary lacks")
    parser.add_argument("--fine", action="store_true", help="a verifier of 20 ms that judges each place in the word by itself")
    parser.add_argument("--out", type=Path, help="folder of the checkpoints (default: WORK/nets)")
    parser.add_argument("--hold", action="store_true", help="keep `addressed` to what the package of --start makes of each window")
    parser.add_argument("--no-mining", action="store_true", help="a round too short for mined mistakes")
    parser.add_argument("--mined", type=Path, help="mined mistakes: read if the file is there, else written")
    parser.add_argument("--mine", type=float, default=1.0, help="share of the training speech that mistakes are mined from")
    parser.add_argument("--what", choices=["both", "spotter", "verifier"], default="both")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--peak", type=float, default=2e-3, help="highest learning rate; half of it after the first round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in WORK/nets, mining first")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = args.out or args.work / "nets"
    out.mkdir(parents=True, exist_ok=True)
    store = Store(args.work / "pack", "train", args.words.split(","), args.phones)
    print({kind: len(pool) for kind, pool in store.pools.items()}, f"{device}", flush=True)
    spotter = nets.Spotter(len(store.words))
    verifier = nets.Verifier(len(store.words), size=nets.FINE if args.fine else nets.VerifierSize())
    sequences, windows = SequenceSampler(store, args.seed), Sampler(store, verifier, args.seed)
    hear = {"spotter": lambda net: net.run(sequences.batch(64)[0], net.fresh(64))}
    hear["verifier"] = lambda net: net.judge(windows.batch(128).features)
    for name, net in (("spotter", spotter), ("verifier", verifier)):
        if args.resume and (out / f"{name}.pt").exists():
            net.load_state_dict(torch.load(out / f"{name}.pt"))
            continue
        measure_scale(net, store)
        if args.start:
            given = [package / f"{name}.onnx" for package in warm.heads(args.start, store.words)]
            warm.start(net, args.start[0] / f"{name}.onnx", hear[name], given)
            # What this run does not train is released as it was given.
            torch.save(net.state_dict(), out / f"{name}.pt")
    teacher = None
    if args.hold and args.start:
        teacher = warm.verifier(args.start[0] / "verifier.onnx", len(store.words), hear["verifier"], "intent").to(device)
        teacher.eval()
    learned = args.resume or bool(args.start) and set(store.words) <= warm.words(args.start).keys()
    for round_ in range(args.rounds):
        steps = args.steps // args.rounds
        peak = args.peak if round_ == 0 and not args.resume else args.peak / 2
        if not args.no_mining and (learned or round_ > 0):
            # Only networks that have learned the words make mistakes worth learning from.
            if args.what != "verifier":
                sequences.mined = mine(store, spotter, None, 4000)
            if args.what != "spotter":
                found = lambda: mine(store, spotter, verifier, 4000, share=args.mine)
                windows.mined = kept_mined(args.mined, found)
        if args.what != "verifier":
            spotter = train_spotter(spotter, sequences, steps // 2, args.batch // 2, peak, out, device)
        if args.what != "spotter":
            verifier = train_verifier(verifier, windows, steps, args.batch, peak, out, device, teacher)


if __name__ == "__main__":
    main()
