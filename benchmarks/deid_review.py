# SPDX-License-Identifier: AGPL-3.0-or-later
"""The review of de-identified images: from a reviewer's key to the next pair of pictures.

Radiographs of 2048 x 1792 pixels of 16 bits, with a name in them, are accepted one after the other
in a real browser: at a pace of one hundred a minute, and as fast as the pictures come. Each is read
from its file, de-identified, drawn twice, fetched and shown; the pictures after the one that is
looked at are fetched in advance.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks import report
from plugin.deid_review.records import Draft, Opened, PixelBox, Reason, Subject
from plugin.deid_review.workshop import content_of
from tests.deid.made_scans import file_of
from tests.plugin.deid_review.reviewed import PLACE, Reviewed, named_image
from tests.plugin.deid_review.served import served
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.plugin.web.fake_archive import orthanc_id

ROWS, COLUMNS = 2048, 1792
PACE_SECONDS = 0.6
BOX = PixelBox(left=20, top=16, width=620, height=70)

_ACCEPT = """
(async (count, pace) => {
  const section = document.querySelector('.deid');
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const times = [];
  for (let at = 0; at < count; at++) {
    const before = section.dataset.shown, started = performance.now();
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true }));
    while (!section.dataset.shown || section.dataset.shown === before) await frame();
    times.push(performance.now() - started);
    const rest = pace - (performance.now() - started);
    if (rest > 0) await new Promise((done) => setTimeout(done, rest));
  }
  return times;
})
"""


@cache
def _body() -> NDArray[np.uint16]:
    chance = np.random.default_rng(1)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    body = 2600 * np.exp(-(((x - 900) / 620) ** 2) - ((y - 1050) / 800) ** 2)
    return np.asarray(np.clip(body + chance.normal(300, 40, (ROWS, COLUMNS)), 0, 4095), np.uint16)


@cache
def _name() -> NDArray[np.bool_]:
    text = Image.new("L", (COLUMNS, ROWS))
    font = ImageFont.load_default(44)
    ImageDraw.Draw(text).text((28, 24), "FENWICK^MARIGOLD 1950", fill=255, font=font)
    return np.asarray(text) > 100


def radiograph(number: int) -> bytes:
    """A noisy image of its own with a name in its upper left corner."""
    pixels = np.roll(_body(), 7 * number, axis=1)
    pixels[_name()] = 4000
    dataset = named_image(number, SeriesDescription="Thorax PA")
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.WindowCenter, dataset.WindowWidth = 1800, 3400
    dataset.PixelData = pixels.astype("<u2").tobytes()
    return file_of(dataset)


def fill(node: Reviewed, count: int) -> None:
    """Put images before a reviewer."""
    for number in range(count):
        instance = orthanc_id(f"radiograph {number}")
        content = radiograph(number)
        node.files.files[instance] = content
        subject = Subject(
            scope="image", resource=instance, series=PLACE.series, study=PLACE.study,
            content=content_of([content]),
        )  # fmt: skip
        opened = Opened(
            reason=Reason.BURNED_IN, settings=node.workshop.settings, holds=True,
            draft=Draft(boxes=(BOX,)), detections=(BOX,),
        )  # fmt: skip
        node.ledger.open(subject, opened)


def processor_seconds(node: Reviewed, count: int) -> float:
    """What the web process spends on one image: read, de-identified, drawn twice, tags compared."""
    items = node.ledger.items(None, count)
    started = time.process_time()
    for item in items:
        look = node.desk.look(item)
        node.desk.original_picture(look, 1, 1024, "anna")
        node.desk.result_picture(look, 1, 1024)
        node.desk.tags(look, "anna")
    return (time.process_time() - started) / len(items)


def measured(node: Reviewed, folder: Path, count: int) -> dict[str, list[float]]:
    """Milliseconds from key to picture, at a pace and without one."""
    with served(node, "anna") as root:
        page = Chromium(folder / "browser")
        try:
            page.open(f"{root}/sidelight/ui/#deid-review")
            page.wait_for("document.querySelector('.deid').dataset.shown", seconds=60)
            found: dict[str, list[float]] = {}
            for name, pace in (("paced", PACE_SECONDS * 1000), ("unpaced", 0)):
                report.say(f"accepting {count} images, {name}")
                found[name] = page.run(f"{_ACCEPT}({count}, {pace})")
            return found
        finally:
            page.close()


def main() -> None:
    """Measure and print."""
    asked = report.arguments(__doc__ or "")
    count = 20 if asked.quick else 100
    if PROGRAM is None:
        figures: dict[str, float | None] = dict.fromkeys(
            (
                "review_next_ms_p50",
                "review_next_ms_p95",
                "review_cpu_s",
                "review_images_per_minute",
            )
        )
        report.finish(figures, {"reason": "Chromium is not installed"})
        return
    with tempfile.TemporaryDirectory(prefix="sidelight-bench-") as name:
        node = Reviewed(Path(name))
        fill(node, 2 * count + 1)
        processor_seconds(node, 1)
        spent = processor_seconds(node, 10)
        times = measured(node, Path(name), count)
        counts = node.ledger.counts()
    details: dict[str, Any] = {
        "images": counts,
        "rows": ROWS,
        "columns": COLUMNS,
        "pace": f"one image each {PACE_SECONDS} s, then as fast as they come",
        "load": os.getloadavg()[0],
        "slowest_ms": round(max(times["paced"]), 1),
        "unpaced_ms_p50": round(float(np.percentile(times["unpaced"], 50)), 1),
    }
    report.finish(
        {
            "review_next_ms_p50": round(float(np.percentile(times["paced"], 50)), 1),
            "review_next_ms_p95": round(float(np.percentile(times["paced"], 95)), 1),
            "review_cpu_s": round(spent, 3),
            "review_images_per_minute": round(60_000 * count / sum(times["unpaced"]), 1),
        },
        details,
    )


if __name__ == "__main__":
    main()
