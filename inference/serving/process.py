# SPDX-License-Identifier: Apache-2.0
"""The service as a process: its command line, its socket, its beginning and its end."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvicorn

from inference.anatomy import warm_up
from inference.anatomy.serving.served import ServedAnatomy
from inference.contract import CONTRACT_VERSION
from inference.service import Limits, Service
from inference.serving import lifeline, sockets
from inference.serving.bundle_models import BundlePlaces, Bundles
from inference.serving.events import log, log_error, start_log
from inference.serving.models import DeviceError, Models
from inference.serving.version_desk import VersionDesk
from inference.trust import Trust

_MIB = 1 << 20
_GRACE_SECONDS = 2
_BAD_START = 2
_NO_DEVICE = 3
_LOOK_SECONDS = 5.0
_SWITCH_SECONDS = 0.00005
"""Threads that decode and answer hold Python's lock no longer while a forward pass wants it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, SIGINT, or the end of the lifeline; does not return."""
    started = time.perf_counter()
    options = _parser().parse_args(arguments)
    sys.setswitchinterval(_SWITCH_SECONDS)
    start_log()
    warm_up()
    try:
        token = _read_token(options.token_file)
        listening = _open(options)
    except OSError as error:
        log("not-started", reason=error.strerror or str(error))
        os._exit(_BAD_START)
    if options.lifeline == "stdin":
        lifeline.hold(partial(_leave_socket, options.socket))
    desk = VersionDesk(tuple(options.models))
    places = BundlePlaces(tuple(options.models), _trust(options), options.state)
    anatomy = ServedAnatomy(places.folders, places.trust)
    models = Models(partial(Bundles, places, options.device, options.threads), options.concurrency)
    models.reload_when_changed(places.fingerprint, _LOOK_SECONDS)
    limits = Limits(options.max_bytes, options.queue, options.receive_seconds)
    stop = partial(_stop, options.socket)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn shuts down gracefully, then raises the signal again for whoever was there before.
        signal.signal(number, stop)
    service = Service(models, limits, token, desk, anatomy)
    asyncio.run(_serve(service, models, listening, started))
    stop()


def _stop(path: Path | None, *_: object) -> None:
    _leave_socket(path)
    log("stopped")
    # A forward pass still running in a thread must not keep the process alive.
    os._exit(0)


async def _serve(
    service: Service, models: Models, listening: socket.socket, started: float
) -> None:
    config = uvicorn.Config(
        service.app(),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    server = _Server(config, listening, started)
    models.start(failed=_give_up)
    await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, started: float) -> None:
        super().__init__(config)
        self._listening = listening
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        address = self._listening.getsockname()
        log(
            "ready",
            address=address if isinstance(address, str) else f"{address[0]}:{address[1]}",
            pid=os.getpid(),
            contract=CONTRACT_VERSION,
            seconds=round(time.perf_counter() - self._started, 3),
        )


def _give_up(error: BaseException) -> None:
    """End the process where models can never be loaded, so that a supervisor sees it."""
    if isinstance(error, DeviceError):
        log("no-device", reason=str(error))
    else:
        log_error("loading-failed", error)
    os._exit(_NO_DEVICE)


def _open(options: argparse.Namespace) -> socket.socket:
    if options.socket is not None:
        return sockets.unix_socket(options.socket, options.socket_mode)
    return sockets.tcp_socket(options.host, options.port)


def _leave_socket(path: Path | None) -> None:
    if path is not None:
        sockets.remove(path)


def _read_token(path: Path | None) -> str | None:
    """Read the token; a file, since arguments and environment are seen by others."""
    if path is None:
        return None
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise OSError("the token file is empty")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m inference.service", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="Unix socket to listen on")
    where.add_argument("--port", type=int, help="TCP port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address of the port")
    parser.add_argument(
        "--socket-mode", type=_octal, default=0o600, help="permissions of the socket, e.g. 0660"
    )
    parser.add_argument(
        "--models", type=Path, action="append", default=[], help="folder of bundles; repeatable"
    )
    parser.add_argument(
        "--pin", type=_pin, action="append", default=[], metavar="NAME=DIGEST",
        help="serve a bundle of this name only with this digest; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--trusted-key", action="append", default=[], help="public key, base64; repeatable"
    )
    parser.add_argument(
        "--require-signature", action="store_true", help="refuse bundles neither signed nor pinned"
    )
    parser.add_argument(
        "--state", type=Path, help="folder for results of commissioning and what was served last"
    )
    parser.add_argument("--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as torch likes")
    parser.add_argument("--concurrency", type=int, default=3, help="analyses at a time")
    parser.add_argument("--queue", type=int, default=Limits.queue, help="analyses that may wait")
    parser.add_argument("--max-bytes", type=int, default=256 * _MIB, help="largest request body")
    parser.add_argument("--receive-seconds", type=float, default=60.0, help="for a body to arrive")
    parser.add_argument("--token-file", type=Path, help="file with a bearer token to require")
    parser.add_argument(
        "--lifeline",
        choices=("none", "stdin"),
        default="none",
        help="stdin: end with standard input, and with the parent process",
    )
    return parser


def _trust(options: argparse.Namespace) -> Trust:
    pinned: dict[str, list[str]] = {}
    for name, digest in options.pin:
        pinned.setdefault(name, []).append(digest)
    return Trust(pinned, tuple(options.trusted_key), options.require_signature)


def _pin(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"([a-z0-9][a-z0-9-]*)=([0-9a-f]{64})", text)
    if not found:
        raise argparse.ArgumentTypeError("use NAME=DIGEST with 64 hexadecimal digits")
    return found[1], found[2]


def _octal(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise argparse.ArgumentTypeError("permissions are three octal digits, e.g. 0660")
    return int(text, 8)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("use auto, cpu, cuda or cuda:N")
    return text
