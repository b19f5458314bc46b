"""An endpoint that lists its models, or does something else when it is asked to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def listed(*names: str) -> bytes:
    """The list as OpenAI writes it."""
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


@contextmanager
def endpoint(status: int, body: bytes, key: str) -> Iterator[str]:
    """Its base URL. `/v1/models` is answered so; another path or key with 401."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models" and self.headers.get("authorization") == f"Bearer {key}"
            answer = body if known else b'{"error": "Incorrect API key provided"}'
            self.send_response(status if known else 401)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            try:
                self.wfile.write(answer)
            except ConnectionError:
                pass  # a client that has read enough

        def log_message(self, format: str, *args: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
