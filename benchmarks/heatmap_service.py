# SPDX-License-Identifier: Apache-2.0
"""``service_efficiency`` and ``single_image_overhead``: what the service adds to the bare network.

``service_efficiency``: images per second of the inference service, asked over its Unix socket with
DICOM files in batches by a client for each core, over a loop of bare forward passes of the same
network with batches of the same size, in a process of its own with as many threads, in turns.

``single_image_overhead``: stored pixels of one 2048 x 2048 image to probabilities and maps, over
the bare forward pass of that image, in turns, in one process.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.heatmap_accuracy import MODEL
from benchmarks.report import say
from inference.bundles import shipped_models
from inference.client import InferenceClient, InferenceUnavailableError
from inference.phantoms import SeedRange, chest_phantom
from inference.phantoms.dicom import chest_dataset

BATCH = 16
SIZE = 512
ROUNDS, QUICK_ROUNDS = 7, 2
SECONDS, QUICK_SECONDS = 10.0, 2.0


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float | None], details: dict[str, object]
) -> None:
    """Fill in the figures."""
    threads = max(1, (os.cpu_count() or 2) // 2)
    figures["service_efficiency"] = _efficiency(folder, threads, details, quick=quick)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.heatmap_service", "single", "5" if quick else "40"],
        capture_output=True, text=True, check=True, env=_environment(threads),
    )  # fmt: skip
    single = json.loads(done.stdout)
    figures["single_image_overhead"] = round(single["overhead"], 3)
    details["single_image"] = single


def _environment(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}


def _efficiency(folder: Path, threads: int, details: dict[str, object], *, quick: bool) -> float:
    files = [_file(SeedRange.BENCHMARK.value + number) for number in range(BATCH)]
    seconds = QUICK_SECONDS if quick else SECONDS
    rates: list[tuple[float, float]] = []
    with _service(folder / "inference.sock", threads) as client, _bare(threads) as bare:
        _rate(client, files, 1.0)
        for number in range(QUICK_ROUNDS if quick else ROUNDS):
            pair = (_rate(client, files, seconds), _bare_rate(bare, seconds))
            rates.append(pair)
            say(f"round {number + 1}: service {pair[0]:.1f}, bare {pair[1]:.1f} images/s")
    details["service_rates"] = [[round(rate, 1) for rate in pair] for pair in rates]
    details["service_batch"] = {"images": BATCH, "size": SIZE, "threads": threads}
    return round(statistics.median(service / bare for service, bare in rates), 3)


def _file(seed: int) -> bytes:
    dataset = chest_dataset(chest_phantom(seed, SIZE))
    dataset.PatientIdentityRemoved = "YES"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def _service(socket: Path, threads: int) -> Iterator[InferenceClient]:
    command = [
        sys.executable, "-m", "inference.service", "--socket", str(socket),
        "--models", str(shipped_models()), "--device", "cpu", "--threads", str(threads),
    ]  # fmt: skip
    process = subprocess.Popen(command, env=_environment(threads), stderr=subprocess.DEVNULL)
    try:
        with InferenceClient(f"unix:{socket}") as client:
            deadline = time.monotonic() + 120.0
            while True:
                try:
                    if client.health().status == "ok":
                        break
                except InferenceUnavailableError:
                    pass
                if time.monotonic() > deadline:
                    raise RuntimeError("the service does not start")
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _rate(client: InferenceClient, files: Sequence[bytes], seconds: float) -> float:
    """Images per second, with a request of every client on its way all the time."""
    clients = 1 + (os.cpu_count() or 1)
    done, lock, end = [0], threading.Lock(), time.perf_counter() + seconds

    def work() -> None:
        while time.perf_counter() < end:
            answer = client.analyse(MODEL, files)
            with lock:
                done[0] += len(answer.images)

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(work) for _ in range(clients)]:
            future.result()
    return done[0] / (time.perf_counter() - started)


@contextmanager
def _bare(threads: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.heatmap_service", "bare"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(threads),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _bare_rate(process: subprocess.Popen[str], seconds: float) -> float:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _loop() -> None:
    """A process of its own: seconds in, images per second of bare forward passes out."""
    import torch  # noqa: PLC0415 - not in the process that measures the service

    from inference.bundles import read_bundle  # noqa: PLC0415

    engine = read_bundle(shipped_models() / MODEL).engine
    images = torch.rand(BATCH, 1, engine.input_size, engine.input_size)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        engine.network(images)
        for line in sys.stdin:
            seconds, done, started = float(line), 0, time.perf_counter()
            while time.perf_counter() - started < seconds:
                engine.network(images)
                done += BATCH
            print(done / (time.perf_counter() - started), flush=True)


def _single(rounds: int) -> None:
    """A process of its own: prints the overhead and both times."""
    import torch  # noqa: PLC0415 - as above

    from inference.bundles import read_bundle  # noqa: PLC0415
    from inference.heatmap.pixels import square_values  # noqa: PLC0415

    engine = read_bundle(shipped_models() / MODEL).engine
    phantom = chest_phantom(SeedRange.BENCHMARK.value, 2048)
    square = square_values(phantom.pixels, phantom.window, engine.input_size)
    ready = torch.from_numpy(square[np.newaxis, np.newaxis])
    ready = ready.contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {"whole": [], "forward": []}
    for number in range(rounds + 3):
        started = time.perf_counter()
        values = square_values(phantom.pixels, phantom.window, engine.input_size)
        engine.probabilities(engine.predict(values[np.newaxis]).pooled)
        between = time.perf_counter()
        with torch.inference_mode():
            engine.network(ready)
        if number >= 3:
            times["whole"].append(1000.0 * (between - started))
            times["forward"].append(1000.0 * (time.perf_counter() - between))
    ratios = [w / f for w, f in zip(times["whole"], times["forward"], strict=True)]
    medians = {f"{name}_ms": round(statistics.median(v), 2) for name, v in times.items()}
    print(json.dumps({"overhead": statistics.median(ratios), **medians}))


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        _loop()
    else:
        _single(int(sys.argv[2]))
