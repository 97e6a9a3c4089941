"""A Chromium without a window, for pages that are measured or tested: DevTools protocol over a pipe.

The protocol's messages are JSON that ends in a zero byte, read from descriptor 3 and written to descriptor 4 of the
browser (``--remote-debugging-pipe``). That is all that a driver does here, so none is installed. Pictures are drawn by
the processor (SwiftShader), as on a machine without a graphics card.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--no-first-run", "--hide-scrollbars",
    "--force-device-scale-factor=1", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
"""The last: no page reaches a network, whatever it asks for."""


def find_chromium() -> str | None:
    """Path of Chromium or Chrome: ``CHROMIUM`` in the environment, else the first on PATH; None without one."""
    wanted = os.environ.get("CHROMIUM")
    return wanted or next((found for name in NAMES if (found := shutil.which(name))), None)


class BrowserError(RuntimeError):
    """What the browser answers where it cannot do what it was asked, or an exception of the page's script."""


class Browser:
    """A running browser; close it, or use it in ``with``."""

    def __init__(self, path: str, *options: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="semanticst-browser-")
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # out of the way of 3 and 4
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read, to_write)]

        def place() -> None:
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        self._process = subprocess.Popen(
            [path, *OPTIONS, f"--user-data-dir={self._folder}", *options, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=place, start_new_session=True,
        )  # fmt: skip
        for fd in (to_read, to_write, *theirs):
            os.close(fd)
        self._buffer, self._number = b"", 0
        self.pages: dict[str, Page] = {}

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self, url: str, width: int = 1280, height: int = 800, mobile: bool = False) -> "Page":
        """A new page of this size in CSS pixels, with the document at ``url`` loaded; ``mobile``: with touch."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        if mobile:
            page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
        page.go(url)
        return page

    def call(self, method: str, session: str | None = None, timeout: float = 120, **params: Any) -> dict:
        """Ask the browser (or a page of it), and wait for the answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        end = time.monotonic() + timeout
        while True:
            answer = self.read(end - time.monotonic())
            if answer is None:
                raise TimeoutError(f"the browser did not answer {method} in {timeout:g} s")
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]

    def read(self, seconds: float) -> dict | None:
        """The next message, told to its page if it is an event; None when none comes in time."""
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._from, 1 << 20)
            if not data:
                raise BrowserError("the browser has ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        if (page := self.pages.get(message.get("sessionId", ""))) and "method" in message:
            page.note(message["method"], message["params"])
        return message

    def close(self) -> None:
        """End the browser and all of its processes."""
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """A page of a browser, with what went wrong on it."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target
        self.errors: list[str] = []
        """Errors and warnings of the console, exceptions that nobody caught, and requests that failed."""
        self.dialogs: list[str] = []
        """Texts of the dialogs (alert, confirm) that the page has opened."""
        self.requests: list[str] = []
        self._loaded = False

    def call(self, method: str, **params: Any) -> dict:
        return self._browser.call(method, self._session, **params)

    def note(self, event: str, params: dict) -> None:
        """Remember an event of the browser."""
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Page.javascriptDialogOpening":
            self.dialogs.append(params["message"])
            # nobody waits for the answer: it is read as a message of its own
            data = {"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            os.write(self._browser._to, json.dumps(data | {"sessionId": self._session}).encode() + b"\0")
        elif event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description", ""))) for a in params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def go(self, url: str, seconds: float = 60) -> None:
        """Load the document at ``url`` and wait for its load event."""
        self._loaded = False
        self.call("Page.navigate", url=url)
        end = time.monotonic() + seconds
        while not self._loaded:
            if time.monotonic() > end:
                raise TimeoutError(f"{url} was not loaded in {seconds:g} s")
            self._browser.read(0.2)

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited where it is a promise. Raises BrowserError when it throws."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """Value of the expression as soon as it is true. Raises TimeoutError when it does not become so."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"not true in {seconds:g} s: {expression}; errors of the page: {self.errors}")
            self._browser.read(0.05)
        return value

    def click(self, x: float, y: float, count: int = 1) -> None:
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=count)

    def click_on(self, selector: str) -> None:
        """Click on the middle of the first element that the CSS selector finds, scrolled into view."""
        quoted = json.dumps(selector)
        x, y = self.evaluate(
            f"(() => {{const e = document.querySelector({quoted}); e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]})()"
        )
        self.click(x, y)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse: mouseMoved, mousePressed, mouseReleased, mouseWheel (``deltaX``, ``deltaY``)."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 5) -> None:
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, button="left", clickCount=1)
        for i in range(1, steps + 1):
            x, y = (a + (b - a) * i / steps for a, b in zip(start, end))
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """One event of fingers: touchStart, touchMove, touchEnd."""
        found = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=found)

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key, named as in ``KeyboardEvent.key``."""
        text = text or (key if len(key) == 1 else {"Enter": "\r"}.get(key, ""))
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        code = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Put text into the field that has the focus, as if typed."""
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path | None = None) -> bytes:
        """The page as PNG, also written to ``path``."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path:
            path.write_bytes(data)
        return data
