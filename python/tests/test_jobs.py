"""The jobs give what the single machine gives; killed workers and killed runs lose nothing.

A part is big enough here that a worker that is killed half way is in the middle of one.
"""

import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: make cluster-tests")
pytest.importorskip("fsspec", reason="fsspec is not installed: make cluster-tests")
import pyarrow.parquet as pq  # noqa: E402

import wakegate  # noqa: E402
from wakegate.jobs import Job, Summary, _run  # noqa: E402

COPIES = 80
ROWS = 24 * COPIES
ROWS_PER_PART = 60
PARTS = ROWS // ROWS_PER_PART
# The engines take seconds to start; a machine that others use takes them minutes.
PATIENCE_S = 400

ENGINES = {
    "ray": {"module": "ray", "options": ["--workers", "2"]},
    "spark": {"module": "pyspark", "options": ["--master", "local-cluster[2,1,1024]"]},
}


@pytest.fixture(params=ENGINES)
def engine(request) -> str:
    module = ENGINES[request.param]["module"]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: make cluster-tests")
    if request.param == "spark" and shutil.which("java") is None:
        pytest.skip("java is not installed, which Spark runs on")
    return request.param


@pytest.fixture(scope="module")
def manifest(recordings, tmp_path_factory) -> Path:
    """All recordings, many times, with two that can't be scored."""
    paths = [str(path) for path in recordings] * COPIES
    paths[100], paths[777] = str(recordings[0].with_name("missing.flac")), None
    table = {
        "file": paths,
        "id": [f"r{n}" for n in range(ROWS)],
        "label": [Path(path).stem.split("_")[0] if path else None for path in paths],
        "site": [f"site {n % 7}" for n in range(ROWS)],
        "unused": list(range(ROWS)),
    }
    path = tmp_path_factory.mktemp("manifest") / "rows.parquet"
    pq.write_table(pa.table(table), path, row_group_size=100)
    return path


@pytest.fixture(scope="module")
def expected(manifest, tmp_path_factory) -> "pa.Table":
    out = tmp_path_factory.mktemp("cli") / "scores.parquet"
    columns = ["--column", "path=file", "--carry", "site"]
    # Compressed by Snappy, as pyarrow writes it.
    run("score", "--manifest", manifest, *columns, "--output", out, code=1)
    table = pq.read_table(out)
    assert table.num_rows == ROWS and sum(e is not None for e in table["error"].to_pylist()) == 2
    return table


def in_order(folder: Path) -> "pa.Table":
    """The job's output, its parts one behind the other."""
    parts = sorted(folder.glob("part-*.parquet"))
    return pa.concat_tables([pq.read_table(part) for part in parts])


def assert_same(found: "pa.Table", expected: "pa.Table", manifest: Path) -> None:
    # What a row without a path is called is the place that each of them knows it by.
    def named(table: "pa.Table") -> list[dict]:
        rows = table.to_pylist()
        return [{**row, "path": None if "names no" in (row["error"] or "") else row["path"]} for row in rows]

    assert found.schema.equals(expected.schema.remove_metadata())
    assert found.schema.metadata[b"wakegate.schema_version"] == b"1"
    assert named(found) == named(expected)


def command(engine: str, *arguments: object) -> list[str]:
    options = ENGINES[engine]["options"]
    return [sys.executable, "-m", f"wakegate.jobs.{engine}", *options, *map(str, arguments)]


def environment() -> dict[str, str]:
    quiet = {"RAY_DEDUP_LOGS": "1", "RAY_DISABLE_USAGE_STATS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    # A machine that others use gives nothing to workers that give way to everything.
    quiet["RAY_worker_niceness"] = "0"
    return {**os.environ, **quiet, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


def start(engine: str, *arguments: object, log: Path) -> subprocess.Popen:
    with log.open("ab") as out:
        return subprocess.Popen(
            command(engine, *arguments), stdout=out, stderr=out, env=environment(),
            start_new_session=True,
        )


def finished(folder: Path) -> dict[str, int]:
    """The parts that are there, with the time at which each was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*.parquet")}


def half_way(
    process: subprocess.Popen, folder: Path, log: Path, ready: Callable[[], bool] = lambda: True
) -> dict[str, int]:
    """Waits until a few parts are there, and `ready`."""
    deadline = time.monotonic() + PATIENCE_S
    while len(parts := finished(folder)) < 3 or not ready():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.02)
    assert len(parts) < PARTS, "the parts are too few or too small to be half way"
    return parts


def children(of: int) -> list[tuple[int, str]]:
    """Ids and command lines of the processes below `of`."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [of]
    while todo:
        for child in parents.get(todo.pop(), []):
            todo.append(child)
            try:
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found.append((child, line))
    return found


WORKERS: dict[str, Callable[[str], bool]] = {
    "ray": lambda line: line.startswith("ray::") and "MapWorker" in line,
    "spark": lambda line: "CoarseGrainedExecutorBackend" in line and line.split()[0].endswith("java"),
}


def end_group(process: subprocess.Popen) -> None:
    """Ends a run that the test started, with everything below it."""
    below = [pid for pid, _ in children(process.pid)]
    for pid in [process.pid, *below]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def test_a_worker_that_is_killed_half_way(engine, manifest, expected, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    options = ["--input", manifest, "--output", out, "--column", "path=file", "--carry", "site"]
    process = start(engine, *options, "--rows-per-part", ROWS_PER_PART, log=log)
    try:
        workers: list[int] = []

        def both() -> bool:
            workers[:] = [pid for pid, line in children(process.pid) if WORKERS[engine](line)]
            return len(workers) == 2

        before = half_way(process, out, log, both)
        os.kill(workers[0], signal.SIGKILL)
        # Two recordings have no verdict.
        assert process.wait(timeout=PATIENCE_S) == 1, log.read_text()[-4000:]
    finally:
        end_group(process)
    after = finished(out)
    assert len(after) == PARTS and before.items() <= after.items()
    assert_same(in_order(out), expected, manifest)
    assert f"{ROWS - 2} recordings scored" in log.read_text()
    assert (out / "_SUCCESS").exists() and not list(out.glob("*.part"))


def test_a_run_that_is_killed_goes_on(engine, manifest, expected, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    options = ["--input", manifest, "--output", out, "--column", "path=file", "--carry", "site"]
    options += ["--rows-per-part", ROWS_PER_PART]
    process = start(engine, *options, log=log)
    try:
        half_way(process, out, log)
    finally:
        end_group(process)
    before = finished(out)
    assert 3 <= len(before) < PARTS and not (out / "_SUCCESS").exists()
    again = start(engine, *options, log=log)
    try:
        assert again.wait(timeout=PATIENCE_S) == 1, log.read_text()[-4000:]
    finally:
        end_group(again)
    after = finished(out)
    assert len(after) == PARTS and before.items() <= after.items(), "a finished part was scored again"
    assert f"{PARTS} parts, {len(before)} of them done before" in log.read_text()
    assert_same(in_order(out), expected, manifest)


def one_after_the_other(worker, parts):
    """An engine of one worker in this process."""
    return [worker.score(part) for part in parts]


def single(job: Job) -> Summary:
    return _run.run(job, one_after_the_other)


def shard(path: Path, recordings: list[Path], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for index, recording in enumerate(recordings):
            tar.add(recording, recording.name)
            beside = json.dumps({"label": f"l{index}", "room": index / 8}).encode()
            info = tarfile.TarInfo(f"{recording.stem}.json")
            info.size = len(beside)
            tar.addfile(info, io.BytesIO(beside))
    return path


def test_shards_folders_and_manifests_are_the_command_lines(recordings, tmp_path):
    one = shard(tmp_path / "s-0.tar", recordings[:10])
    two = shard(tmp_path / "s-1.tar.gz", recordings[10:], "w:gz")
    run("score", one, two, "--carry", "room", "--output", tmp_path / "cli.parquet")
    job = Job(inputs=[f"{tmp_path}/s-*.tar*"], output=str(tmp_path / "out"), carry=["room"])
    summary = single(job)
    assert (summary.parts, summary.rows, summary.failed, summary.done_before) == (2, 24, 0, 0)
    expected = pq.read_table(tmp_path / "cli.parquet")
    assert in_order(tmp_path / "out").to_pylist() == expected.to_pylist()
    again = single(job)
    assert (again.rows, again.done_before) == (0, 2)

    run("score", recordings[0].parent, "--output", tmp_path / "folder.parquet")
    job = Job(inputs=[str(recordings[0].parent)], output=str(tmp_path / "folder"), rows_per_part=7)
    assert single(job).parts == 4
    expected = pq.read_table(tmp_path / "folder.parquet")
    found = in_order(tmp_path / "folder")
    assert found.to_pylist() == expected.to_pylist() and found.column_names == expected.column_names


def test_a_manifest_of_many_files(recordings, tmp_path):
    """As Spark writes one; and rows of a part that lie in several row groups."""
    folder = tmp_path / "rows.parquet"
    folder.mkdir()
    paths = [path.name for path in recordings]
    for name, start in (("part-0.parquet", 0), ("part-1.parquet", 12)):
        table = pa.table({"path": paths[start : start + 12]})
        pq.write_table(table, folder / name, row_group_size=5)
    (folder / "_SUCCESS").touch()
    (folder / "_old.parquet").write_bytes(b"no table")
    job = Job(inputs=[str(folder)], output=str(tmp_path / "out"), rows_per_part=7,
              root=str(recordings[0].parent))
    assert single(job).parts == 4
    assert in_order(tmp_path / "out")["path"].to_pylist() == paths
    assert in_order(tmp_path / "out")["error"].null_count == 24


def test_what_is_on_no_local_disk_is_fetched(recordings, tmp_path):
    """fsspec's in-memory file system stands for an object store."""
    import fsspec

    memory = fsspec.filesystem("memory")
    for recording in recordings:
        memory.pipe(f"/bucket/{recording.name}", recording.read_bytes())
    memory.put_file(str(shard(tmp_path / "s.tar", recordings)), "/bucket/s.tar")
    table = pa.table({"path": [r.name for r in recordings] + ["memory://bucket/none.wav"], "site": ["a"] * 25})
    with memory.open("/bucket/rows.parquet", "wb") as file:
        pq.write_table(table, file)
    for name in ("manifest.toml", "spotter.onnx", "verifier.onnx", "MODEL_CARD.md"):
        source = Path(__file__).resolve().parents[2] / "models" / wakegate.Gate.load().model.id / name
        memory.put_file(str(source), f"/bucket/model/{name}")
    gate = wakegate.Gate.load()
    expected = [gate.score_file(path) for path in recordings]

    job = Job(inputs=["memory://bucket/rows.parquet"], output="memory://bucket/out", root="memory://bucket",
              carry=["site"], model="memory://bucket/model", rows_per_part=10)
    summary = single(job)
    assert (summary.parts, summary.rows, summary.failed) == (3, 25, 1)
    parts = sorted(path for path in memory.find("/bucket/out") if path.endswith(".parquet"))
    rows = [row for path in parts for row in pq.read_table(io.BytesIO(memory.cat(path))).to_pylist()]
    assert [row["p_intended"] for row in rows[:-1]] == [score.p_intended for score in expected]
    assert rows[3]["path"] == recordings[3].name and rows[3]["site"] == "a"
    assert rows[-1]["error"].startswith("cannot read memory://bucket/none.wav: ")

    summary = single(Job(inputs=["memory://bucket/s.tar"], output="memory://bucket/shard-out"))
    assert (summary.parts, summary.rows, summary.failed) == (1, 24, 0)
    rows = pq.read_table(io.BytesIO(memory.cat("/bucket/shard-out/part-000000.parquet"))).to_pylist()
    assert [row["path"] for row in rows] == [f"memory://bucket/s.tar/{r.name}" for r in recordings]
    assert [row["p_intended"] for row in rows] == [score.p_intended for score in expected]


def test_an_output_belongs_to_one_job(recordings, tmp_path):
    out = str(tmp_path / "out")
    first = shard(tmp_path / "s.tar", recordings[:3])
    single(Job(inputs=[str(first)], output=out))
    models = Path(__file__).resolve().parents[2] / "models"
    late = shutil.copytree(models / wakegate.Gate.load().model.id, tmp_path / "late")
    manifest = (late / "manifest.toml").read_text()
    (late / "manifest.toml").write_text(manifest.replace("consecutive = 2", "consecutive = 3"))
    for other, found in [
        (Job(inputs=[str(first)], output=out, model=str(models / "jarvis-2")), "found another model"),
        (Job(inputs=[str(first)], output=out, model=str(late)), "found another model"),
        (Job(inputs=[str(first)], output=out, carry=["room"]), "found another carry"),
    ]:
        with pytest.raises(wakegate.SettingsError, match=found):
            single(other)
    shard(first, recordings[:4])
    with pytest.raises(wakegate.SettingsError, match="found inputs that changed"):
        single(Job(inputs=[str(first)], output=out))


def test_what_can_not_be_is_refused_before_any_work(manifest, tmp_path):
    out = str(tmp_path / "out")
    for job, text in [
        (Job(inputs=[str(tmp_path / "none")], output=out), "no such file or folder"),
        (Job(inputs=[str(manifest)], output=out), "has no column 'path'"),
        (Job(inputs=[str(manifest)], output=out, columns={"path": "file"}, carry=["error"]), "can't be carried"),
        (Job(inputs=[str(manifest)], output=out, rows_per_part=0), "rows_per_part is refused"),
    ]:
        with pytest.raises(wakegate.Error, match=text):
            single(job)
    assert not (tmp_path / "out").exists()


def test_storage_that_fails_once_is_asked_again(recordings, tmp_path, monkeypatch):
    from wakegate.jobs import _storage, _work

    monkeypatch.setattr(_storage, "_PAUSE_S", 0.0)
    of_scores, calls = _work._table.of_scores, []

    def fails_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the network is away")
        return of_scores(*arguments)

    monkeypatch.setattr(_work._table, "of_scores", fails_once)
    path = shard(tmp_path / "s.tar", recordings[:3])
    assert single(Job(inputs=[str(path)], output=str(tmp_path / "out"))).rows == 3
    assert len(calls) == 2 and not list((tmp_path / "out").glob("*.part"))
    calls.clear()
    monkeypatch.setattr(_work._table, "of_scores", lambda *_: (_ for _ in ()).throw(OSError("away")))
    with pytest.raises(OSError, match="away"):
        single(Job(inputs=[str(path)], output=str(tmp_path / "other")))
    assert not list((tmp_path / "other").glob("*part-*"))


def test_a_part_whose_report_was_lost_is_reported_from_its_file(recordings, tmp_path):
    job = Job(inputs=[str(shard(tmp_path / "s.tar", recordings))], output=str(tmp_path / "out"))
    reports = []

    def twice(worker, parts):
        reports.extend(worker.score(part) for part in parts * 2)
        return reports[1:]

    summary = _run.run(job, twice)
    assert (summary.rows, summary.failed, sum(summary.verdicts.values())) == (24, 0, 24)
    assert {**reports[0], "work_s": 0} == {**reports[1], "work_s": 0}
