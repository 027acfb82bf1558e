"""Records what the real client and a real engine say to each other.

    record.py FOLDER     (from the checkout's root, with .venv's Python)

Starts engine.py, puts a tap in front of it, lets client.py speak through it, and writes
FOLDER/MODE.jsonl: one line for each event, as it went over the wire. Audio is not written but
named, as the bytes of a recording in data/ decoded to 16-bit PCM.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "data"
RECORDINGS = {"satellite": ["alexa_lights"], "home-assistant": ["mention_daughter", "talk"]}


async def tap(reader, writer, source: str, lines: list) -> None:
    """Hands bytes on, and keeps each event."""
    offset = 0
    while line := await reader.readline():
        header = json.loads(line)
        data = await reader.readexactly(header.get("data_length") or 0)
        payload = await reader.readexactly(header.get("payload_length") or 0)
        event = {"from": source, "line": line.decode(), "data": data.decode()}
        if payload:
            event["audio"] = [offset, offset + len(payload)]
            offset += len(payload)
        if header["type"] == "detect":
            offset = 0
        lines.append(event)
        writer.write(line + data + payload)
        await writer.drain()
    writer.close()


async def record(mode: str, port: int, folder: Path) -> None:
    """One session."""
    lines = []
    done = asyncio.Event()

    async def serve(reader, writer) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            tap(reader, ours, "client", lines), tap(theirs, writer, "engine", lines)
        )
        done.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    uri = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with tempfile.TemporaryDirectory() as temporary:
        raw = []
        for name in RECORDINGS[mode]:
            samples, _ = soundfile.read(DATA / f"{name}.flac", dtype="int16")
            raw.append(Path(temporary) / name)
            raw[-1].write_bytes(samples.tobytes())
        client = await asyncio.create_subprocess_exec(
            sys.executable, HERE / "client.py", uri, mode, "--raw", *raw, stdout=subprocess.DEVNULL
        )
        await client.wait()
    await asyncio.wait_for(done.wait(), 10)
    names = {"recordings": RECORDINGS[mode]}
    text = "".join(json.dumps(line) + "\n" for line in [names, *lines])
    (folder / f"{mode}.jsonl").write_text(text)


def main() -> None:
    """All sessions."""
    engine = subprocess.Popen(
        [sys.executable, HERE / "engine.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        port = int(engine.stdout.readline())
        for mode in RECORDINGS:
            asyncio.run(record(mode, port, Path(sys.argv[1])))
    finally:
        engine.kill()
        engine.wait()


if __name__ == "__main__":
    main()
