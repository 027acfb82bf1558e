"""A wake-word engine behind Wyoming: microWakeWord in the form of wyoming-openwakeword.

    engine.py [--port PORT]

Prints the port when it is ready, and a line for each detection. Ends with its stdin.
"""

import argparse
import asyncio
import sys

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model
from wyoming.audio import AudioChunk, AudioChunkConverter, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, WakeModel, WakeProgram
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncTcpServer
from wyoming.wake import Detect, Detection, NotDetected

MODELS = [Model.ALEXA, Model.HEY_JARVIS]
AUTHOR = Attribution(name="kahrendt", url="https://github.com/kahrendt/microWakeWord")
REFRACTORY_SAMPLES = 32_000


def info() -> Info:
    """What it offers."""
    models = [
        WakeModel(
            name=model.value,
            description=model.value.replace("_", " "),
            phrase=model.value.replace("_", " "),
            attribution=AUTHOR,
            installed=True,
            languages=["en"],
            version="2",
        )
        for model in MODELS
    ]
    program = WakeProgram(
        name="microwakeword",
        description="An engine for the tests",
        attribution=AUTHOR,
        installed=True,
        version="2.5.0",
        models=models,
    )
    return Info(wake=[program])


class Handler(AsyncEventHandler):
    """One client."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.converter = AudioChunkConverter(rate=16_000, width=2, channels=1)
        self.detectors = {}
        self.names = None
        self.samples = 0
        self.next_at = {}
        self.detected = False

    def start(self) -> None:
        """A new stream, for the words that were asked for."""
        names = self.names or [Model.ALEXA.value]
        self.detectors = {
            name: (MicroWakeWordFeatures(), MicroWakeWord.from_builtin(Model(name)))
            for name in names
        }
        self.samples = 0
        self.next_at = {}
        self.detected = False

    async def handle_event(self, event: Event) -> bool:
        if Describe.is_type(event.type):
            await self.write_event(info().event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=Ping.from_event(event).text).event())
        elif Detect.is_type(event.type):
            self.names = Detect.from_event(event).names
            self.detectors = {}
        elif AudioStart.is_type(event.type):
            self.start()
        elif AudioChunk.is_type(event.type):
            await self.hear(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type):
            if not self.detected:
                await self.write_event(NotDetected().event())
            self.detectors = {}
        return True

    async def hear(self, chunk: AudioChunk) -> None:
        """Detects in a chunk."""
        if not self.detectors:
            self.start()
        chunk = self.converter.convert(chunk)
        self.samples += chunk.samples
        for name, (features, detector) in self.detectors.items():
            found = [detector.process_streaming(f) for f in features.process_streaming(chunk.audio)]
            if not any(found) or self.samples < self.next_at.get(name, 0):
                continue
            self.next_at[name] = self.samples + REFRACTORY_SAMPLES
            self.detected = True
            print(f"detected {name} at {self.samples}", flush=True)
            await self.write_event(Detection(name=name, timestamp=chunk.timestamp).event())


async def main() -> None:
    """Serves until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    server = AsyncTcpServer("127.0.0.1", parser.parse_args().port)
    await server.start(Handler)
    print(server._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
