"""The two networks.

Both are one-dimensional convolutions over time with the mel bands as channels: this form
runs at nearly the same speed in ONNX Runtime and in tract, where two-dimensional depthwise
convolutions are several times slower.

Several wake words are trained at once, on one trunk: what is hard for one word is a negative of the
others, and all of them teach the trunk speech. A package holds one word: `only` cuts its head out.

Shapes: B batch, F frames of 10 ms, M mel bands, S steps of 80 ms, K frames of 40 ms, W wake words.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

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
    """Convolution of stride 2, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm1d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, T] to [B, C_out, T / 2]."""
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
    """Channels at 20 ms and 40 ms, dilations of the blocks there, heads and dropout."""

    fine: int = 72
    coarse: int = 112
    fine_dilations: tuple[int, ...] = (1, 2)
    coarse_dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4, 8)
    heads: int = 3
    dropout: float = 0.1


class Head(nn.Module):
    """One question about the window: attentive pooling and two layers."""

    def __init__(self, size: VerifierSize, frames: int) -> None:
        super().__init__()
        self.pool = Attend(size.coarse, frames, size.heads)
        self.answer = nn.Sequential(nn.Linear(size.heads * size.coarse, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, K] to a logit [B, 1]."""
        return self.answer(self.pool(x))


@dataclass
class Judgement:
    """What the verifier says of a batch of windows, before calibration.

    ``wake`` [B, W] and ``addressed`` [B] are logits; ``edges`` are log-weights over the K frames [B, 2, K]
    of the word's start and end; ``phones`` are logits [B, PHONES, K].
    """

    wake: Tensor
    addressed: Tensor
    edges: Tensor
    phones: Tensor


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
        frames = (before + after) // 4
        self.normalise = Normalise(bands)
        fine = [Block(size.fine, d, size.dropout) for d in size.fine_dilations]
        coarse = [Block(size.coarse, d, size.dropout) for d in size.coarse_dilations]
        self.trunk = nn.Sequential(Reduce(bands, size.fine), *fine, Reduce(size.fine, size.coarse), *coarse)
        self.wake = nn.ModuleList([Head(size, frames) for _ in range(words)])
        self.addressed = Head(size, frames)
        self.edge = Attend(size.coarse, frames, 2)
        self.phones = nn.Conv1d(size.coarse, PHONES, 1)
        # A word's end lies near the anchor, its start about 0.6 s before: start the edge heads there.
        place = torch.arange(frames) * 4.0
        for head, centre in ((0, before - 60.0), (1, float(before))):
            self.edge.position.data[0, head] = -((place - centre) ** 2) / (2 * 25.0**2)
        self.register_buffer("times", (place + 2.0 - before) * 0.01)
        # Calibration, fitted after training: logit * scale + shift, for wake and addressed.
        self.register_buffer("calibration", torch.tensor([[1.0, 0.0], [1.0, 0.0]]))

    def only(self, word: int) -> Verifier:
        """A copy that judges one of the words."""
        one = copy.deepcopy(self)
        one.wake = nn.ModuleList([one.wake[word]])
        return one

    def judge(self, features: Tensor) -> Judgement:
        """[B, F, M] to the raw outputs of every head."""
        x = self.trunk(self.normalise(features))
        return Judgement(
            wake=torch.cat([head(x) for head in self.wake], dim=1),
            addressed=self.addressed(x).squeeze(1),
            edges=self.edge.score(x) + self.edge.position,
            phones=self.phones(x),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As exported: [1, F, M] to posteriors [1, 3], scores [1, 2], span in seconds [1, 2]."""
        judgement = self.judge(features)
        logits = torch.cat([judgement.wake, judgement.addressed[:, None]], dim=1)
        scores = torch.sigmoid(logits * self.calibration[:, 0] + self.calibration[:, 1])
        wake, addressed = scores[:, :1], scores[:, 1:]
        posteriors = torch.cat([wake * addressed, 1 - wake, wake * (1 - addressed)], dim=1)
        span = (torch.softmax(judgement.edges, dim=2) * self.times).sum(dim=2)
        return posteriors, scores, span


def parameters(net: nn.Module) -> int:
    """Trainable parameters without the phone head, which is not exported."""
    return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("phones"))
