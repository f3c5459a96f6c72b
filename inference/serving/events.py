# SPDX-License-Identifier: Apache-2.0
"""The service's log: one JSON object per line on standard error, without anything from a request.

Messages of libraries may quote header values, so only their origin and level are written.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from typing import Any

_OWN = "inference.service"
_LOGGER = logging.getLogger(_OWN)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
        }
        if record.name == _OWN:
            line |= {"event": record.getMessage(), **getattr(record, "details", {})}
        else:
            line |= {"event": "library", "logger": record.name}
            if record.exc_info and record.exc_info[0]:
                line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


def start_log() -> None:
    """Send the log, Python's warnings and uncaught errors of threads to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    _LOGGER.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda failed: log_error("thread-failed", failed.exc_value)


def log(event: str, **details: object) -> None:
    """Write one event; ``details`` must not come from a request."""
    _LOGGER.info(event, extra={"details": details})


def log_error(event: str, error: BaseException | None) -> None:
    """Write the type of an error and where it arose, without its message."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    at = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    details = {"error": type(error).__name__, "at": at}
    _LOGGER.error(event, extra={"details": details})
