"""A real browser, and pages of the web for it, each from an origin of its own."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser")
"""Whatever is there; without the windows that nobody sees, a page takes less than half the time."""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium, where there is one."""
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        pytest.skip(f"Chromium is not installed (apt-get install {_CHROMIUM[0]}): no page is tried")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


class _Serving(BaseHTTPRequestHandler):
    html = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(self.html)))
        self.end_headers()
        self.wfile.write(self.html)

    def log_message(self, format: str, *args: Any) -> None:  # it tells nobody
        pass


@contextlib.contextmanager
def origin(html: str) -> Iterator[str]:
    """Serve one page under every path; gives its origin."""
    handler = type("Page", (_Serving,), {"html": html.encode()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(page: Page) -> dict[str, Any]:
    """Give what the script of a page found out, when it is done."""
    done: dict[str, Any] = page.wait_for_function("window.told", timeout=30_000).json_value()
    return done
