"""What can go wrong: each error says what was expected, what came instead, and a way out."""

from __future__ import annotations


class Error(Exception):
    """Something could not be done.

    Attributes:
        message: what could not be done.
        expected: what was expected, where that is said.
        found: what came instead, where that is said.
        hint: a way out, where there is one.
    """

    message: str
    expected: str | None
    found: str | None
    hint: str | None

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        text = self.message
        if self.expected is not None and self.found is not None:
            text += f": expected {self.expected}, found {self.found}"
        elif self.expected is not None:
            text += f": expected {self.expected}"
        elif self.found is not None:
            text += f": {self.found}"
        return text if self.hint is None else f"{text} (hint: {self.hint})"

    def __reduce__(self) -> tuple[object, ...]:
        said = {"expected": self.expected, "found": self.found, "hint": self.hint}
        return _again, (type(self), self.message, said)


def _again(kind: type[Error], message: str, said: dict[str, str | None]) -> Error:
    return kind(message, **said)


class FileError(Error, OSError):
    """A file or folder is missing, or can't be read or written."""


class AudioError(Error, ValueError):
    """Audio that can't be decoded, or that holds no usable samples."""


class SettingsError(Error, ValueError):
    """An argument outside its range or of another form."""


class ModelError(Error, ValueError):
    """A model package that is missing, altered, or not of the expected form."""


class RuntimeFailure(Error, RuntimeError):
    """The ONNX runtime could not be loaded or refused an operation."""


class PosteriorError(Error, ArithmeticError):
    """A posterior that is not a number or not a probability: never a verdict."""


class LimitError(Error, ValueError):
    """A file that wants more than a limit gives it."""
