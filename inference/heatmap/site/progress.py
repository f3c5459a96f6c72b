# SPDX-License-Identifier: Apache-2.0
"""What a run shows while it lasts: a bar with loss, AUC and time left, and TensorBoard logs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from inference.heatmap.site.trainer import Epoch


class TensorBoardMissingError(ImportError):
    """Logs were asked for and TensorBoard is not installed."""


class Shown:
    """The bar and the logs of one run."""

    def __init__(self, bars: Bars, total: int, done: int, logs: Any | None) -> None:
        self._bars, self._logs, self._steps = bars, logs, done
        self._task = bars.add_task("training", total=total, completed=done, figures="")
        self._loss, self._auc = math.nan, math.nan

    def step(self, loss: float) -> None:
        """One step was made."""
        self._steps += 1
        self._loss = loss if math.isnan(self._loss) else 0.95 * self._loss + 0.05 * loss
        figures = f"loss {self._loss:.3f}"
        if not math.isnan(self._auc):
            figures += f" AUC {self._auc:.3f}"
        self._bars.update(self._task, advance=1, figures=figures)
        if self._logs is not None:
            self._logs.add_scalar("loss/step", loss, self._steps)

    def epoch(self, epoch: Epoch, classes: tuple[str, ...]) -> None:
        """An epoch was assessed."""
        self._auc = epoch.auc
        self._bars.console.print(
            f"epoch {epoch.number}: loss {epoch.loss:.3f}, validation AUC {epoch.auc:.3f}"
        )
        if self._logs is not None:
            self._logs.add_scalar("loss/epoch", epoch.loss, epoch.number)
            self._logs.add_scalar("auc/mean", epoch.auc, epoch.number)
            for key, auc in zip(classes, epoch.by_class, strict=False):
                self._logs.add_scalar(f"auc/{key}", auc, epoch.number)
            self._logs.flush()


class Progress:
    """Where a run is shown.

    Parameters
    ----------
    console:
        For bar and messages; a quiet one in all processes but the first.
    logs:
        Folder for TensorBoard, or None.

    Raises
    ------
    TensorBoardMissingError
        ``logs`` is given and TensorBoard is not installed.
    """

    def __init__(self, console: Console, logs: Path | None = None) -> None:
        self._console = console
        self._writer = None
        if logs is not None:
            try:
                writers: Any = import_module("torch.utils.tensorboard")
            except ImportError as error:
                raise TensorBoardMissingError(
                    "logs need TensorBoard: install sidelight[train]"
                ) from error
            self._writer = writers.SummaryWriter(str(logs))

    def say(self, words: str) -> None:
        """A message of its own."""
        self._console.print(words)

    def _bars(self) -> Bars:
        return Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
        )

    @contextmanager
    def reading(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show that images are read; gives what is to be told how many more were."""
        with self._bars() as bars:
            task = bars.add_task(f"reading {what}", total=total, figures="")
            yield lambda more: bars.advance(task, more)

    @contextmanager
    def training(self, total: int, done: int) -> Iterator[Shown]:
        """Show the steps of a run of which ``done`` were made before."""
        with self._bars() as bars:
            yield Shown(bars, total, done, self._writer)
        if self._writer is not None:
            self._writer.close()
