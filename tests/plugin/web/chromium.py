# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import websocket

PROGRAM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)

_FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip

_FLAT = ("--disable-gpu",)
_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL in software: viewers draw segmentations with it only."""

_KEYS = {
    "Enter": ("\r", 13), "Escape": ("", 27), "Tab": ("", 9), "End": ("", 35), "Home": ("", 36),
}  # fmt: skip


class Chromium:
    """One page of a browser of its own.

    ``complaints`` has what the page wrote to the console as an error, and its exceptions.
    """

    def __init__(
        self, profile: Path, width: int = 1600, height: int = 1000, *, webgl: bool = False
    ) -> None:
        assert PROGRAM is not None
        flags = [*_FLAGS, *(_WEBGL if webgl else _FLAT), f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [PROGRAM, *flags, "about:blank"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.complaints: list[str] = []
        self._number = 0
        try:
            address = self._page_address(profile / "DevToolsActivePort")
            self._socket = websocket.create_connection(address, timeout=180)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    @staticmethod
    def _page_address(port_file: Path) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if port_file.exists() and (lines := port_file.read_text().split()):
                with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                    pages = [page for page in json.load(answer) if page["type"] == "page"]
                if pages:
                    return str(pages[0]["webSocketDebuggerUrl"])
            time.sleep(0.1)
        raise TimeoutError("Chromium did not start within 60 s")

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(20)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.complaints.append(str(details.get("exception", details).get("description")))
        elif message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry["level"] == "error":
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 20) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self.run(
                f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"
            )
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}; complaints: {self.complaints}")

    def press(self, *keys: str) -> None:
        for key in keys:
            text, code = _KEYS.get(key, (key if len(key) == 1 else "", 0))
            event: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
            self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))
