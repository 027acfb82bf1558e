"""What is said about a recording, an activation, a model: frozen objects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from wakegate._wakegate import Gate

Verdict = Literal["intended", "accidental", "unsure"]
Reason = Literal["intended", "not_wake_word", "not_addressed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    path: str
    audio_s: float | None
    verdict: Verdict | None
    reason: Reason | None
    p_intended: float | None
    p_wake_word: float | None
    p_addressed: float | None
    wake_word: str
    start_s: float | None
    end_s: float | None
    decided_s: float | None
    word_decided_s: float | None
    model: str
    schema: int
    error: str | None
    warnings: tuple[str, ...] = ()

    def _tail(self) -> dict[str, object]:
        """The keys from audio_s on, in the order of the command line's."""
        tail: dict[str, object] = {
            "audio_s": self.audio_s,
            "verdict": self.verdict,
            "reason": self.reason,
            "p_intended": self.p_intended,
            "p_wake_word": self.p_wake_word,
            "p_addressed": self.p_addressed,
            "wake_word": self.wake_word,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "decided_s": self.decided_s,
            "word_decided_s": self.word_decided_s,
            "model": self.model,
            "schema": self.schema,
            "error": self.error,
        }
        if self.warnings:
            tail["warnings"] = list(self.warnings)
        return tail


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation(_Judged):
    """One moment where the wake word may have been said, judged.

    Attributes:
        path: what the recording or stream is called.
        activation: its number in the recording or stream, from 1.
        audio_s: length of the recording in seconds; None in a stream.
        verdict: "intended", "accidental", or "unsure" (treat it as accidental).
        reason: "intended", "not_wake_word" or "not_addressed".
        p_intended: posterior that the word was said, and to the device; a 32-bit value, 0 to 1.
        p_wake_word: whether it was the wake word; as p_intended.
        p_addressed: whether it was said to the device; as p_intended.
        wake_word: the wake word that was listened for.
        start_s, end_s: where the word is, in seconds from the start.
        decided_s: up to where audio had to be heard for the verdict, in seconds.
        word_decided_s: the same for the word alone, whatever it was meant for; None where it was
            not said.
        model: the model that judged, name-version.
        schema: version of these fields.
        error: None.
        warnings: what the decoder found odd about the recording.
    """

    activation: int

    def as_dict(self) -> dict[str, object]:
        """The object that `wakegate score --activations` and `wakegate listen` print."""
        return {"path": self.path, "activation": self.activation, **self._tail()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A wake word that was said, before anyone knows what it was meant for.

    Attributes:
        path: what the stream is called.
        activation: number of the activation whose verdict follows, from 1.
        p_wake_word: whether it was the wake word; a 32-bit value, 0 to 1.
        wake_word: the wake word that was listened for.
        start_s, end_s: where the word is, in seconds from the start.
        word_decided_s: up to where audio had to be heard for it, in seconds.
        model: the model that judged, name-version.
    """

    path: str
    activation: int
    p_wake_word: float
    wake_word: str
    start_s: float
    end_s: float
    word_decided_s: float
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Score(_Judged):
    """What is said about a recording: its best activation, the one of the highest p_intended.

    Where the spotter proposed none, it is accidental, with the verifier's scores at the spotter's
    highest moment, and start_s, end_s, decided_s and word_decided_s are None. Where it could not be scored,
    `error` says why, and there is no verdict.

    Attributes:
        path, audio_s, ..., warnings: as in Activation, of the best activation.
        activations: all of them, in the order of their decisions.
        named: whether it is from a corpus that has ids, labels and groups.
        id, label, group: of a manifest's row, or from beside the recording in an archive.
        carried: the columns that were asked for with `carry`.
    """

    activations: tuple[Activation, ...] = ()
    named: bool = False
    id: str | None = None
    label: str | None = None
    group: str | None = None
    carried: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The object that `wakegate score` prints, its keys in the same order."""
        head: dict[str, object] = {"path": self.path}
        if self.named:
            head |= {"id": self.id, "label": self.label, "group": self.group}
        return {**head, **self._tail(), **self.carried}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What a model package says about itself.

    Attributes:
        id: name-version.
        wake_word: the wake word it listens for.
        licence: SPDX expression of the weights' licence.
        origin: the folder it is from, or "embedded".
        card: the model card, Markdown.
        intended_at: at or above it p_intended is intended; 0 to 1.
        accidental_below: below it p_intended is accidental, and unsure between the two.
        spotter_threshold: the spotter's posterior from which a candidate is proposed.
        mel_bands: values in a frame of features.
        window_ms, hop_ms: length of a frame, and from one frame's start to the next.
        before_s, after_s: what the verifier hears around the end of the word.
        spotter_sha256, verifier_sha256: of the two networks.
        manifest_sha256: of all that decides a score: the networks, thresholds, and when a verdict
            may come early.
    """

    id: str
    wake_word: str
    licence: str
    origin: str
    card: str = field(repr=False)
    intended_at: float
    accidental_below: float
    spotter_threshold: float
    mel_bands: int
    window_ms: float
    hop_ms: float
    before_s: float
    after_s: float
    spotter_sha256: str
    verifier_sha256: str
    manifest_sha256: str


def load_gate(
    model: os.PathLike[str] | None,
    onnxruntime: os.PathLike[str] | None,
    intended_at: float | None,
    accidental_below: float | None,
    spotter_threshold: float | None,
) -> Gate:
    """A gate that was pickled, loaded again."""
    from wakegate._wakegate import Gate

    return Gate.load(
        model,
        onnxruntime=onnxruntime,
        intended_at=intended_at,
        accidental_below=accidental_below,
        spotter_threshold=spotter_threshold,
    )
