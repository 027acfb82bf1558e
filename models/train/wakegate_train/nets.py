"""The two networks.

Both are one-dimensional convolutions over time with the mel bands as channels: this form
runs at nearly the same speed in ONNX Runtime and in tract, where two-dimensional depthwise
convolutions are several times slower.

Several wake words are trained at once, on one trunk: what is hard for one word is a negative of the
others, and all of them teach the trunk speech. A package holds one word: `only` cuts its head out.

Shapes: B batch, F frames of 10 ms, M mel bands, S steps of 80 ms, K frames of the trunk (20 or 40 ms), W wake words.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FRAMES_PER_STEP = 8
"""Frames of 10 ms that one spotter step takes."""

PHONES = 40
"""CMUdict's 39 phones and silence: the classes of the auxiliary phone head."""


class Normalise(nn.Module):
    """Shifts and scales each mel band by constants that are measured once on training frames."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))

    def forward(self, features: Tensor) -> Tensor:
        """[B, F, M] natural-log mel power to [B, M, F], about zero mean and unit variance."""
        return ((features - self.mean) * self.scale).transpose(1, 2)


class CausalConv(nn.Module):
    """Convolution, batch norm and ReLU that looks only back in time, with its past as state.

    The state holds the last ``(kernel - 1) * dilation + 1 - stride`` input frames, so that
    streaming gives what one pass over the whole sequence gives.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(c_out)
        self.past = (kernel - 1) * dilation + 1 - stride

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C_in, T] and its state [B, C_in, past] to ([B, C_out, T / stride], next state)."""
        x = torch.cat([state, x], dim=2)
        return F.relu(self.norm(self.conv(x))), x[:, :, x.shape[2] - self.past :]

    def fresh(self, batch: int) -> Tensor:
        """The state at the start of a stream."""
        return torch.zeros(batch, self.conv.in_channels, self.past)


@dataclass(frozen=True)
class SpotterSize:
    """Channels of the stem and the body, and the dilations of the residual layers (40 ms frames)."""

    stem: int = 48
    body: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8)


class Spotter(nn.Module):
    """Streaming, causal word spotter: one posterior per 80 ms step and wake word.

    Two strided layers bring 10 ms frames to 40 ms, dilated residual layers see about 1.3 s back,
    a last strided layer brings them to one output a step.
    """

    def __init__(self, words: int = 1, bands: int = 40, size: SpotterSize = SpotterSize()) -> None:
        super().__init__()
        self.size = size
        self.normalise = Normalise(bands)
        self.stem = nn.ModuleList([CausalConv(bands, size.stem, 5, stride=2), CausalConv(size.stem, size.body, 5, stride=2)])
        self.body = nn.ModuleList([CausalConv(size.body, size.body, 3, dilation=d) for d in size.dilations])
        self.last = CausalConv(size.body, size.body, 4, stride=2)
        self.out = nn.Conv1d(size.body, words, 1)
        self.phones = nn.Conv1d(size.body, PHONES, 1)

    def only(self, word: int) -> Spotter:
        """A copy that spots one of the words."""
        one = copy.deepcopy(self)
        one.out = nn.Conv1d(self.size.body, 1, 1)
        one.out.weight.data = self.out.weight.data[word : word + 1].clone()
        one.out.bias.data = self.out.bias.data[word : word + 1].clone()
        return one

    def layers(self) -> list[CausalConv]:
        """Every layer that has a state, in the order of the state tensors."""
        return [*self.stem, *self.body, self.last]

    def fresh(self, batch: int) -> list[Tensor]:
        """The states at the start of a stream."""
        return [layer.fresh(batch) for layer in self.layers()]

    def run(self, features: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """[B, F, M] to (logits [B, W, S], body [B, C, K], next states)."""
        x = self.normalise(features)
        given, kept = iter(states), []
        for layer in self.stem:
            x, state = layer(x, next(given))
            kept.append(state)
        for layer in self.body:
            y, state = layer(x, next(given))
            x = x + y
            kept.append(state)
        y, state = self.last(x, next(given))
        kept.append(state)
        return self.out(y), x, kept

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """One step as exported: features [1, 8, M] and states to (posterior [1, 1], next states)."""
        logits, _, kept = self.run(features, list(states))
        return (torch.sigmoid(logits.squeeze(1)), *kept)


class Block(nn.Module):
    """Residual pair of convolutions over time, same length in and out."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(channels)
        self.drop = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] to [B, C, T]."""
        return x + self.drop(F.relu(self.norm(self.conv(x))))


class Reduce(nn.Module):
    """Convolution of a stride, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, stride: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, 5, stride=stride, padding=2, bias=False)
        self.norm = nn.BatchNorm1d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, T] to [B, C_out, T / stride]."""
        return F.relu(self.norm(self.conv(x)))


class Attend(nn.Module):
    """Attentive pooling: each head takes a weighted mean over time, with a learned bias for position.

    The candidate stands at a fixed place in the window, so position carries meaning: what was
    said just before the word is another thing than what was said just after it.
    """

    def __init__(self, channels: int, frames: int, heads: int) -> None:
        super().__init__()
        self.score = nn.Conv1d(channels, heads, 1)
        self.position = nn.Parameter(torch.zeros(1, heads, frames))

    def weights(self, x: Tensor) -> Tensor:
        """[B, C, K] to weights over time [B, heads, K]."""
        return torch.softmax(self.score(x) + self.position, dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, K] to [B, heads * C]."""
        return torch.matmul(self.weights(x), x.transpose(1, 2)).flatten(1)


@dataclass(frozen=True)
class VerifierSize:
    """Channels of the front and of the rest, dilations of the blocks there, stride between them, heads and dropout.

    With a stride of 1 every layer has a value each 20 ms: its blocks reach as far by twice the dilation, and no
    sound is judged by where it falls between two frames of 40 ms.
    """

    fine: int = 72
    coarse: int = 112
    fine_dilations: tuple[int, ...] = (1, 2)
    coarse_dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4, 8)
    stride: int = 2
    heads: int = 3
    dropout: float = 0.1
    slots: int = 0
    """Places in the word that are judged each by itself; 0 for none."""

    @property
    def frames(self) -> int:
        """Frames of 10 ms that one frame of the trunk stands for."""
        return 2 * self.stride


FINE = VerifierSize(coarse_dilations=(2, 4, 8, 2, 4, 8, 16), stride=1, slots=8)
"""A network of 20 ms that judges each place in the word by itself: it starts with what one of 40 ms has learned."""


class Head(nn.Module):
    """One question about the window: attentive pooling and two layers."""

    def __init__(self, size: VerifierSize, frames: int) -> None:
        super().__init__()
        self.pool = Attend(size.coarse, frames, size.heads)
        self.answer = nn.Sequential(nn.Linear(size.heads * size.coarse, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, K] to a logit [B, 1]."""
        return self.answer(self.pool(x))


class Spell(nn.Module):
    """Is each sound of the word there? One answer for each place in it, and the word is as sure as its worst place.

    A head that sums up evidence lets a loud vowel outvote a wrong consonant. Here each place looks for its own
    frames near where it stands in the word, and none can make good for another.
    """

    SECONDS = 0.55
    """Length of a word over which the places are spread before they have learned theirs."""

    def __init__(self, size: VerifierSize, frames: int, before: int) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(size.coarse, 64, 1)
        self.where = nn.Conv1d(64, size.slots, 1)
        self.right = nn.Conv1d(64, size.slots, 1)
        place = (torch.arange(frames) + 0.5) * size.frames * 0.01 - before * 0.01
        centre = self.SECONDS * ((torch.arange(size.slots) + 0.5) / size.slots - 1)
        self.position = nn.Parameter(-(((place[None] - centre[:, None]) / 0.12) ** 2)[None] / 2)
        # Until a place has learned what is wrong there, it says nothing.
        nn.init.constant_(self.right.bias, 6.0)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, K] to a logit of each place [B, slots]."""
        hidden = F.relu(self.hidden(x))
        weights = torch.softmax(self.where(hidden) + self.position, dim=2)
        return (weights * self.right(hidden)).sum(dim=2)


def worst(logits: Tensor) -> Tensor:
    """A smooth minimum over the last axis: the logit of none of them being wrong."""
    return -torch.log(torch.exp(-logits.clamp(-20, 20)).sum(dim=-1))


@dataclass
class Judgement:
    """What the verifier says of a batch of windows, before calibration.

    ``wake`` [B, W] and ``addressed`` [B] are logits; ``edges`` are log-weights over the K frames [B, 2, K]
    of the word's start and end; ``phones`` are logits [B, PHONES, K]; ``slots`` are logits of each place [B, W, S].
    """

    wake: Tensor
    addressed: Tensor
    edges: Tensor
    phones: Tensor
    slots: Tensor


class Verifier(nn.Module):
    """Judges a window around a candidate: was the wake word said, and was it said to the device?

    The trunk is shared and learns phones as well, so that it follows what was said; the heads
    have weights of their own, so that ``addressed`` means something for a candidate of any word.
    """

    def __init__(
        self, words: int = 1, before: int = 200, after: int = 80, bands: int = 40, size: VerifierSize = VerifierSize()
    ) -> None:
        super().__init__()
        self.size, self.before, self.after = size, before, after
        frames = (before + after) // size.frames
        self.normalise = Normalise(bands)
        fine = [Block(size.fine, d, size.dropout) for d in size.fine_dilations]
        coarse = [Block(size.coarse, d, size.dropout) for d in size.coarse_dilations]
        self.trunk = nn.Sequential(Reduce(bands, size.fine), *fine, Reduce(size.fine, size.coarse, size.stride), *coarse)
        self.wake = nn.ModuleList([Head(size, frames) for _ in range(words)])
        self.spell = nn.ModuleList([Spell(size, frames, before) for _ in range(words if size.slots else 0)])
        self.addressed = Head(size, frames)
        self.edge = Attend(size.coarse, frames, 2)
        self.phones = nn.Conv1d(size.coarse, PHONES, 1)
        # A word's end lies near the anchor, its start about 0.6 s before: start the edge heads there.
        place = torch.arange(frames) * float(size.frames)
        for head, centre in ((0, before - 60.0), (1, float(before))):
            self.edge.position.data[0, head] = -((place - centre) ** 2) / (2 * 25.0**2)
        self.register_buffer("times", (place + size.stride - before) * 0.01)
        # Calibration, fitted after training: logit * scale + shift, for wake and addressed.
        self.register_buffer("calibration", torch.tensor([[1.0, 0.0], [1.0, 0.0]]))

    def only(self, word: int) -> Verifier:
        """A copy that judges one of the words."""
        one = copy.deepcopy(self)
        one.wake = nn.ModuleList([one.wake[word]])
        one.spell = nn.ModuleList(one.spell[word : word + 1])
        return one

    def judge(self, features: Tensor) -> Judgement:
        """[B, F, M] to the raw outputs of every head."""
        x = self.trunk(self.normalise(features))
        wake = torch.cat([head(x) for head in self.wake], dim=1)
        slots = torch.stack([spell(x) for spell in self.spell], dim=1) if self.spell else wake[:, :, None].expand(-1, -1, 0)
        return Judgement(
            wake=worst(torch.cat([wake[:, :, None], slots], dim=2)) if self.spell else wake,
            slots=slots,
            addressed=self.addressed(x).squeeze(1),
            edges=self.edge.score(x) + self.edge.position,
            phones=self.phones(x),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As exported: [1, F, M] to posteriors [1, 3], scores [1, 2], span in seconds [1, 2]."""
        return answers(self.judge(features), self.calibration, self.times)


class Paired(nn.Module):
    """One network that knows the word, and whether it was addressed by another: what one has learned best it need not unlearn.

    `own` is the share that the first one's answer to that has, too: two networks that learned from different speech
    err in different sentences, and the finer one's answer doesn't swing with the alignment.
    """

    def __init__(self, word: Verifier, intent: Verifier, own: float = 0.0) -> None:
        super().__init__()
        self.word, self.intent, self.own = word, intent, own
        self.before, self.after, self.times = word.before, word.after, word.times
        self.register_buffer("calibration", torch.tensor([[1.0, 0.0], [1.0, 0.0]]))

    def judge(self, features: Tensor) -> Judgement:
        """[B, F, M] to the raw outputs of every head."""
        judged = self.word.judge(features)
        return replace(judged, addressed=self.intent.judge(features).addressed.lerp(judged.addressed, self.own))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `Verifier.forward`."""
        return answers(self.judge(features), self.calibration, self.times)


def answers(judgement: Judgement, calibration: Tensor, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Posteriors, scores and span of one word's judgement, calibrated; `times` are those of the trunk's frames."""
    logits = torch.cat([judgement.wake, judgement.addressed[:, None]], dim=1)
    scores = torch.sigmoid(logits * calibration[:, 0] + calibration[:, 1])
    wake, addressed = scores[:, :1], scores[:, 1:]
    posteriors = torch.cat([wake * addressed, 1 - wake, wake * (1 - addressed)], dim=1)
    span = (torch.softmax(judgement.edges, dim=2) * times).sum(dim=2)
    return posteriors, scores, span


def size_by(names: Iterable[str]) -> VerifierSize:
    """The size of a verifier by the names of its weights: only the fine one has places of the word."""
    return FINE if any(name.startswith("spell.") for name in names) else VerifierSize()


def mean(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the weights of checkpoints that one run came to after another; of one, its own."""
    first, *others = map(torch.load, checkpoints)
    average = lambda name, value: sum((other[name] for other in others), value) / (1 + len(others))
    return {name: average(name, value) if value.dtype.is_floating_point else value for name, value in first.items()}


def verifier(checkpoints: Path | Sequence[Path], words: int) -> Verifier:
    """The verifier that train.py wrote, or the mean of several."""
    weights = mean([checkpoints] if isinstance(checkpoints, Path) else checkpoints)
    net = Verifier(words, size=size_by(weights))
    net.load_state_dict(weights)
    return net


def parameters(net: nn.Module) -> int:
    """Trainable parameters without the phone head, which is not exported."""
    return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("phones"))
