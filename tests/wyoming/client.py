"""Speaks to a wake-word service as real clients do, with their own package.

    client.py URI satellite|home-assistant [--names NAME ...] [--step] --raw RAW ...

RAW is 16 kHz mono 16-bit audio. Prints one JSON object for each event that came, as the package
parsed it, with the milliseconds of audio that had been sent by then: with --step every chunk waits
until all that the one before it brought has come.
"""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.user_event import UserEvent
from wyoming.wake import Detect, Detection, NotDetected

KINDS = [Info, Detection, NotDetected, Pong, Error, UserEvent]
SAMPLES = {"satellite": 1024, "home-assistant": 480}


def show(event, sent_ms: int = 0, silent: str = "") -> str:
    """Prints an event as its class in the package, unless that is silent; gives the class's name."""
    kind = next(kind for kind in KINDS if kind.is_type(event.type))
    parsed = kind.from_event(event)
    data = parsed.event().data if kind is Info else asdict(parsed)
    if kind.__name__ != silent:
        print(json.dumps({"kind": kind.__name__, "data": data, "sent_ms": sent_ms}), flush=True)
    return kind.__name__


async def until_pong(client: AsyncClient, sent_ms: int, silent: str = "") -> None:
    """Everything that was sent until now."""
    await client.write_event(Ping(text="drain").event())
    while (event := await client.read_event()) is not None:
        if show(event, sent_ms, silent) == "Pong":
            return
    raise ConnectionError("the service closed the connection")


async def converse(arguments: argparse.Namespace) -> None:
    """One connection, stream after stream."""
    size = 2 * SAMPLES[arguments.mode]
    home_assistant = arguments.mode == "home-assistant"
    async with AsyncClient.from_uri(arguments.uri, read_timeout=60) as client:
        await client.write_event(Describe().event())
        show(await client.read_event())
        for path in arguments.raw:
            audio = path.read_bytes()
            await client.write_event(Detect(names=arguments.names).event())
            if home_assistant:
                await client.write_event(AudioStart(rate=16_000, width=2, channels=1).event())
            for start in range(0, len(audio), size):
                chunk = AudioChunk(
                    rate=16_000,
                    width=2,
                    channels=1,
                    audio=audio[start : start + size],
                    timestamp=start // 32 if home_assistant else None,
                )
                await client.write_event(chunk.event())
                if arguments.step:
                    await until_pong(client, min(start + size, len(audio)) // 32, silent="Pong")
            if home_assistant:
                await client.write_event(AudioStop().event())
            await until_pong(client, len(audio) // 32)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("mode", choices=SAMPLES)
    parser.add_argument("--names", nargs="*")
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--raw", nargs="+", type=Path, required=True)
    asyncio.run(converse(parser.parse_args()))


if __name__ == "__main__":
    main()
