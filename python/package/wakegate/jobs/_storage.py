"""Files where fsspec finds them, by local path or URL."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar

from fsspec.core import url_to_fs

from wakegate import LimitError

# Largest recording that is fetched into memory, in bytes, as the command line's --member-mib.
MOST_BYTES = 256 << 20
# What another attempt does not change.
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_PAUSE_S = 0.5

T = TypeVar("T")


def is_remote(url: str) -> bool:
    """Whether `url` is on no local disk."""
    return "://" in url and not url.startswith("file://")


def absolute(url: str) -> str:
    """The same place, whatever the working folder of the process that reads it."""
    return url if is_remote(url) else os.path.abspath(url.removeprefix("file://"))


def join(folder: str, name: str) -> str:
    """`name` as it is meant in `folder`: a URL or an absolute path means itself."""
    if "://" in name or name.startswith("/"):
        return name
    return f"{folder.rstrip('/')}/{name}"


def place(url: str) -> tuple[Any, str]:
    """The file system of `url` and its path there."""
    system, path = url_to_fs(url, use_listings_cache=False)
    return system, path


def again(attempts: int, work: Callable[[], T]) -> T:
    """What `work` gives; where storage fails, it is tried again after a pause that doubles."""
    for attempt in range(attempts - 1):
        try:
            return work()
        except _FINAL:
            raise
        except OSError:
            time.sleep(_PAUSE_S * 2**attempt)
    return work()


def fetch(url: str, attempts: int) -> bytes:
    """The bytes of a recording."""

    def read() -> bytes:
        system, path = place(url)
        size = system.size(path)
        if size is not None and size > MOST_BYTES:
            raise LimitError(f"{url} is too large", expected=f"at most {MOST_BYTES} bytes", found=str(size))
        data: bytes = system.cat_file(path)
        return data

    return again(attempts, read)


@contextmanager
def whole_file(folder: str, name: str) -> Iterator[IO[bytes]]:
    """A file that appears under its name when it is whole, instead of what was there.

    Its name until then begins with an underscore: readers of Parquet folders pass over it.
    """
    system, path = place(folder)
    partial, final = f"{path}/_{name}.{uuid.uuid4().hex}.part", f"{path}/{name}"
    try:
        with system.open(partial, "wb") as file:
            yield file
        system.mv(partial, final)
    except BaseException:
        if system.exists(partial):
            system.rm(partial)
        raise
