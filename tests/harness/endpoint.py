"""An OpenAI-compatible endpoint on this machine whose model says what a test wrote down."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = dict[str, Any] | tuple[int, dict[str, str]] | bytes
"""A message of the model, a refusal with its headers, or bytes as they are."""


def calls(*tools: tuple[str, dict[str, Any] | str], content: str = "") -> dict[str, Any]:
    """Returns a message that calls tools."""
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {
                "id": f"call-{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for number, (name, given) in enumerate(tools)
        ],
    }


def bash(command: str, **given: Any) -> dict[str, Any]:
    """Returns a message that runs a command."""
    return calls(("bash", {"command": command, **given}))


class Model:
    """What was asked, and what is answered next."""

    def __init__(self, script: list[Answer | Callable[[dict[str, Any]], Answer]]) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []

    @property
    def told(self) -> list[str]:
        """What tools gave, as the model was told with its last request."""
        return [one["content"] for one in self.asked[-1]["messages"] if one["role"] == "tool"]


@contextmanager
def serving(*script: Answer | Callable[[dict[str, Any]], Answer]) -> Iterator[tuple[str, Model]]:
    """Yields an address and the model behind it; after its script it submits."""
    model = Model(list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.asked.append(request)
            model.keys.append(self.headers.get("Authorization", ""))
            answer = model.script.pop(0) if model.script else calls(("submit", {}))
            if callable(answer):
                answer = answer(request)
            self._say(answer)

        def _say(self, answer: Answer) -> None:
            status, body = 200, b""
            headers: dict[str, str] = {}
            if isinstance(answer, tuple):
                status, headers = answer
                body = b"no"
            elif isinstance(answer, bytes):
                body = answer
            else:
                usage = {"prompt_tokens": 10, "completion_tokens": 1}
                body = json.dumps({"choices": [{"message": answer}], "usage": usage}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
