"""The extension module. Its names are imported as `wakegate`."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from wakegate._results import Activation, ModelInfo, Score, Word

# float32 with full scale at 1, or int16; shape [n] or [n, channels].
_Samples = npt.NDArray[np.float32] | npt.NDArray[np.int16]
_Path = str | os.PathLike[str]

__all__ = [
    "AUDIO_EXTENSIONS",
    "SCHEMA",
    "Gate",
    "Listener",
    "Scores",
    "__version__",
    "check_carry",
    "features",
    "json_text",
]

__version__: str
SCHEMA: int
AUDIO_EXTENSIONS: list[str]

@final
class Gate:
    @staticmethod
    def load(
        model: _Path | None = None,
        *,
        onnxruntime: _Path | None = None,
        intended_at: float | None = None,
        accidental_below: float | None = None,
        spotter_threshold: float | None = None,
    ) -> Gate: ...
    @property
    def model(self) -> ModelInfo: ...
    def score(
        self, samples: _Samples, rate: int, *, trigger_s: float | None = None, path: str = ""
    ) -> Score: ...
    def score_file(self, path: _Path, *, trigger_s: float | None = None) -> Score: ...
    def score_bytes(
        self, data: bytes, *, trigger_s: float | None = None, path: str = ""
    ) -> Score: ...
    def score_batch(
        self,
        items: Iterable[_Path | bytes | tuple[_Samples, int]],
        *,
        threads: int | None = None,
    ) -> list[Score]: ...
    def score_rows(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        columns: dict[str, str] | None = None,
        carry: Sequence[str] = ...,
        root: _Path | None = None,
        fetch: Callable[[str], bytes] | None = None,
        threads: int | None = None,
    ) -> Scores: ...
    def score_corpus(
        self,
        *paths: _Path,
        manifests: Sequence[_Path] = ...,
        columns: dict[str, str] | None = None,
        carry: Sequence[str] = ...,
        root: _Path | None = None,
        raw: tuple[str, int, int] | None = None,
        threads: int | None = None,
    ) -> Scores: ...
    def listener(self, rate: int = 16000, *, channels: int = 1, path: str = "") -> Listener: ...
    def features(self, samples: _Samples, rate: int) -> npt.NDArray[np.float32]: ...
    def __reduce__(self) -> tuple[Any, Any]: ...

@final
class Listener:
    def push(self, chunk: _Samples) -> list[Activation]: ...
    def finish(self) -> list[Activation]: ...
    def reset(self) -> None: ...
    @property
    def words(self) -> list[Word]: ...
    @property
    def rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def heard_s(self) -> float: ...

@final
class Scores(Iterator[Score]):
    def __iter__(self) -> Scores: ...
    def __next__(self) -> Score: ...

def features(
    samples: _Samples, rate: int, *, model: _Path | None = None
) -> npt.NDArray[np.float32]: ...
def json_text(object: object) -> str | None: ...
def check_carry(carry: Sequence[str]) -> None: ...
