"""A headless Chromium that tells what a page does: spoken to over pipes, without a library."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip
LIMIT_S = 60


def program() -> str | None:
    """Returns where Chromium is, if it is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of one browser, and everything that it has told."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.told: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Returns the answer to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer.get("result", {})
            self.told.append(answer)
        raise AssertionError("the browser has ended")

    def open(self, page: Path, *, width: int = 1200, height: int = 900, **media: str) -> None:
        """Opens a file and waits for it; `media` are features, as `prefers_color_scheme`."""
        self.told.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        features = [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items()
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._wait("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """Returns what an expression gives on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Presses a key and lets it go."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def requests(self) -> list[str]:
        """Returns every address that was asked for since the page was opened."""
        return [
            item["params"]["request"]["url"]
            for item in self.told
            if item.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Returns what the console shows: errors, violations of the policy, what scripts say."""
        kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(item["params"]) for item in self.told if item.get("method") in kinds]

    def shot(self, target: Path, *, whole: bool = True) -> None:
        """Writes a picture of the page as PNG."""
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        target.write_bytes(base64.b64decode(taken["data"]))

    def _wait(self, method: str) -> None:
        if any(item.get("method") == method for item in self.told):
            return
        for item in self._messages():
            self.told.append(item)
            if item.get("method") == method:
                return

    def _messages(self) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            while b"\0" in self._rest:
                message, _, self._rest = self._rest.partition(b"\0")
                yield json.loads(message)
            part = os.read(self._reading, 1 << 20)
            if not part:
                return
            self._rest += part


def main() -> None:
    """Takes a picture of the beginning of a page, small enough for a README."""
    parser = ArgumentParser(prog="python -m tests.reports.browser", description=main.__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    with browser() as chromium:
        chromium.open(asked.page, width=1000, height=1180, prefers_color_scheme="light")
        chromium.shot(asked.picture, whole=False)
    with Image.open(asked.picture) as taken:
        taken.quantize(200, dither=Image.Dither.NONE).save(asked.picture, optimize=True)


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts a browser with a profile of its own, and ends it."""
    name = program()
    assert name is not None, "Chromium is not installed"
    theirs, ours = os.pipe()
    mine, yours = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # It reads commands from descriptor 3 and answers on descriptor 4.
        started = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{yours}', "bash", name, *OPTIONS,
             f"--user-data-dir={profile}"],
            pass_fds=(theirs, yours), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(yours)
        try:
            yield Browser(mine, ours)
        finally:
            os.close(ours)
            started.terminate()
            started.wait(LIMIT_S)
            os.close(mine)


if __name__ == "__main__":
    main()
