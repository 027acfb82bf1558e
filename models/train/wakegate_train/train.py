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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import corpus, nets, warm
from .data import STEP, Augment, Pool, Store, join, shaped, take
from .mining import mine

# Shares of a batch. Wake words said to the device are a third; the rest is what must not pass.
SHARES = {
    "real_address": 0.15,
    "real_mention": 0.03,
    "real_call": 0.02,
    "real_passing": 0.04,
    "real_other": 0.01,
    "neural_address": 0.13,
    "neural_mention": 0.08,
    "neural_call": 0.03,
    "neural_passing": 0.03,
    "neural_soundalike": 0.06,
    "neural_neighbour": 0.11,
    "formant_address": 0.01,
    "formant_mention": 0.02,
    "formant_call": 0.01,
    "formant_passing": 0.01,
    "formant_soundalike": 0.01,
    "formant_neighbour": 0.02,
}
ENOUGH = 400
"""Candidates from which a kind gets its whole share; fewer would be learned by heart."""
ANY, NOISE, MINED = 0.03, 0.08, 0.06
"""Shares of moments anywhere, of noise alone and of mined mistakes; running speech fills the rest."""


SHAPED = 0.5
"""Share of the windows of noise that are made to come and go like a word."""
PACED, PACE = 0.6, 0.18
"""Share of windows that are heard faster or slower at the same pitch, and by how much (natural log)."""
HELD = 0.1
"""Share of windows whose end is not heard yet, as at the moments of early verdicts."""
PHASES = 8
"""Frames by which the second of two hearings of a window may come later or sooner."""
SMOOTHED = 0.002
"""Label smoothing of the word's own score: what crowds scores below it says nothing about them."""
STEADY = 0.1
"""Weight of the loss of two hearings of a window that differ in their logits."""
HELD_FROM, HELD_TO = 25, 70
"""Frames after the word's end at which they are cut off."""


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


def shares(store: Store, n: int) -> list[tuple[str, int]]:
    """How many of `n` candidates each kind of the pack gives; what they leave goes to running speech."""
    part = lambda kind: SHARES[kind] * min(1.0, len(store.pools[kind]) / ENOUGH)
    return [(kind, round(part(kind) * n)) for kind in SHARES if kind in store.pools]


def measure_scale(net: nn.Module, store: Store) -> None:
    """Sets the networks' input shift and scale from augmented training frames."""
    rng = np.random.default_rng(0)
    augment = Augment(store, rng)
    pool = store.anywhere(store.speech, 512, rng, -1)
    frames, _ = store.window(pool.utterance, pool.anchor - 100, 200)
    frames = augment(frames, None)
    net.normalise.mean.copy_(frames.mean((0, 1)))
    net.normalise.scale.copy_(1 / frames.std((0, 1)))


@dataclass
class Batch:
    """Verifier windows and their labels; -1 means unknown."""

    features: Tensor
    phones: Tensor
    wake: Tensor
    addressed: Tensor
    edges: Tensor
    has_edges: Tensor
    slots: Tensor


class Sampler:
    """Draws verifier batches by the shares above."""

    def __init__(self, store: Store, net: nets.Verifier, seed: int) -> None:
        self.store, self.before, self.after = store, net.before, net.after
        self.frames, self.slots = net.size.frames, net.size.slots
        self.rng = np.random.default_rng(seed)
        self.augment = Augment(store, self.rng)
        self.mined: Pool | None = None

    def draw(self, n: int) -> Pool:
        """`n` candidates by share."""
        rng, parts = self.rng, []
        for kind, count in shares(self.store, n):
            part = self.store.draw(self.store.pools[kind], count, rng)
            if kind.endswith("soundalike"):
                # A false trigger may stand anywhere in the phrase, not just at its end.
                inside = rng.random(len(part)) < 0.5
                part.anchor = np.where(inside, rng.uniform(part.start + 15, part.anchor + 25), part.anchor)
            parts.append(part)
        if self.mined is not None and len(self.mined):
            parts.append(take(self.mined, rng.integers(len(self.mined), size=round(MINED * n))))
        parts.append(self.store.anywhere(self.store.speech, round(ANY * n), rng, -1))
        parts.append(self.store.anywhere(self.store.noise, round(NOISE * n), rng, -1))
        parts.append(self.store.anywhere(self.store.running, n - sum(map(len, parts)), rng, 0))
        return join(parts)

    def batch(self, n: int) -> Batch:
        """An augmented batch: every window twice, the second half of the batch PHASES frames sooner or later at most."""
        pool = self.draw(n // 2)
        half = len(pool)
        jitter = np.clip(self.rng.normal(0, 6, half), -18, 18)
        anchor = np.round(pool.anchor + jitter).astype(int)
        pace = np.where(self.rng.random(half) < PACED, np.exp(self.rng.uniform(-PACE, PACE, half)), 1.0)
        length, room = self.before + self.after, PHASES
        centre = self.before + room
        long, phones = self.store.window(pool.utterance, anchor - centre, length + 2 * room, pace, centre)
        bursts = np.flatnonzero(self.store.is_noise[pool.utterance] & (self.rng.random(half) < SHAPED))
        long[bursts] = shaped(long[bursts], self.rng, centre)
        long = self.augment(long, (centre - 70, centre + 5))
        later = self.rng.integers(-room, room + 1, half)
        features, heard = [], []
        for late in (np.zeros(half, dtype=int), later):
            place = torch.from_numpy(late)[:, None] + room + torch.arange(length)
            features.append(torch.take_along_dim(long, place[:, :, None], dim=1))
            heard.append(torch.take_along_dim(phones, place, dim=1))
        features, phones = torch.cat(features), torch.cat(heard)
        self.hold(features, phones)
        late = np.concatenate([np.zeros(half), later])
        pool = join([pool, pool])
        anchor, pace = np.tile(anchor, 2) + late * np.tile(pace, 2), np.tile(pace, 2)
        edges = np.stack([pool.start - anchor, pool.anchor - anchor], 1) * 0.01 / pace[:, None]
        known = np.abs(edges[:, 0]) < 1.5
        as_tensor = lambda values: torch.from_numpy(np.asarray(values, dtype=np.float32))
        return Batch(
            features, phones[:, self.frames // 2 :: self.frames], as_tensor(one_hot(pool.word, len(self.store.words))),
            as_tensor(pool.addressed), as_tensor(edges), as_tensor(known & (pool.word >= 0)),
            as_tensor(self.store.slots(pool, self.slots)),
        )  # fmt: skip

    def hold(self, features: Tensor, phones: Tensor) -> None:
        """Repeats one frame to the end in a share of the windows [n, F, M], as early.rs and early.py do.

        Their phones [n, F] are unknown from there on.
        """
        n, length, _ = features.shape
        for row in np.flatnonzero(self.rng.random(n) < HELD):
            heard = min(length, self.before + int(self.rng.integers(HELD_FROM, HELD_TO + 1)))
            features[row, heard:] = features[row, heard - 1].clone()
            phones[row, heard:] = -1


def one_hot(word: np.ndarray, words: int) -> np.ndarray:
    """Indices [n], -1 for none, to [n, words] of 0 and 1."""
    return (word[:, None] == np.arange(words)[None, :]).astype(np.float32)


def masked_mean(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean of `loss` where `mask` is set; 0 where it is nowhere."""
    return (loss * mask).sum() / mask.sum().clamp_min(1)


def phone_loss(logits: Tensor, phones: Tensor) -> Tensor:
    """Cross-entropy over the frames whose phone is known."""
    return F.cross_entropy(logits, phones, ignore_index=-1, label_smoothing=0.05)


def verifier_loss(
    judgement: nets.Judgement, batch: Batch, times: Tensor, phone_weight: float, held: Tensor | None = None
) -> tuple[Tensor, dict]:
    """The weighted sum of the losses and each by name; `held` are probabilities that `addressed` is to keep to."""
    binary = F.binary_cross_entropy_with_logits
    # A word's own mistakes weigh the same however many words are trained.
    wake = binary(judgement.wake.float(), batch.wake * (1 - SMOOTHED) + SMOOTHED / 2, reduction="none").sum(1).mean()
    said = judgement.addressed.float()
    addressed = masked_mean(
        binary(said, batch.addressed.clamp_min(0) * 0.98 + 0.01, reduction="none"), (batch.addressed >= 0).float()
    )
    phones = phone_loss(judgement.phones.float(), batch.phones)
    span = (torch.softmax(judgement.edges.float(), dim=2) * times).sum(2)
    edges = masked_mean(F.smooth_l1_loss(span, batch.edges, beta=0.05, reduction="none").sum(1), batch.has_edges)
    both = torch.cat([judgement.wake.float(), said[:, None]], dim=1).clamp(-8, 8)
    steady = F.smooth_l1_loss(*both.chunk(2))
    parts = {"wake": wake, "addressed": addressed, "phones": phones, "edges": edges, "steady": steady}
    total = 2 * wake + addressed + phone_weight * phones + 0.5 * edges + STEADY * steady
    if batch.slots.numel():
        given = batch.slots.clamp_min(0) * (1 - SMOOTHED) + SMOOTHED / 2
        parts["slots"] = masked_mean(binary(judgement.slots.float(), given, reduction="none"), (batch.slots >= 0).float())
        total = total + parts["slots"]
    if held is not None:
        parts["held"] = binary(said, held)
        total = total + parts["held"]
    return total, parts


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


LENGTH = 480
"""Frames of a spotter sequence: 60 steps, 4.8 s."""


class SequenceSampler:
    """Draws spotter sequences: a target for each 80 ms step, -1 where it does not count."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.rng = np.random.default_rng(seed)
        self.augment = Augment(store, self.rng)
        self.mined: Pool | None = None

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features [n, LENGTH, bands], targets [n, W, LENGTH / 8], phones [n, LENGTH]."""
        rng, store = self.rng, self.store
        parts = [store.draw(store.pools[kind], count, rng) for kind, count in shares(store, n)]
        if self.mined is not None and len(self.mined):
            parts.append(take(self.mined, rng.integers(len(self.mined), size=round(MINED * n))))
        parts.append(store.anywhere(store.noise, round(NOISE * n), rng, -1))
        parts.append(store.anywhere(store.running, n - sum(map(len, parts)), rng, 0))
        pool = join(parts)
        begin = np.round(pool.anchor - rng.uniform(90, LENGTH - 40, n)).astype(int)
        features, phones = store.window(pool.utterance, begin, LENGTH)
        targets = np.zeros((n, len(store.words), LENGTH // STEP), dtype=np.float32)
        ends = np.arange(LENGTH // STEP) * STEP + STEP + 1.5
        for row in range(n):
            for _, end, name, _ in store.table[pool.utterance[row]]["events"]:
                if (word := store.index(name)) >= 0:
                    late = ends - (end * 100 - begin[row])
                    targets[row, word] = np.where((late > -24) & (late < 64), -1, targets[row, word])
                    targets[row, word] = np.where((late >= 2) & (late < 26), 1, targets[row, word])
        return self.augment(features, None), torch.from_numpy(targets), phones


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
        given = args.start[0] / "verifier.onnx"
        teacher = nets.Verifier(len(store.words), size=warm.size_of(given)).to(device)
        warm.start(teacher, given, hear["verifier"])
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
