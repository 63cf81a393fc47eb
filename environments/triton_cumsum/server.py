"""Calls `prefix_sum` for whoever holds the other end of a socket; the clock is theirs.

Only the text of this file goes into the sandbox. It runs in the solution's process, so nothing that
it says is believed; see `harness/sandbox/calls.py`.
"""

import json
import mmap
import os
import socket
import sys
from typing import Any


class Server:
    """The solution, and the input's memory."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._inputs: dict[tuple[int, int], Any] = {}
        self._result: Any = None
        self._before: Any = None

    def empty(self) -> dict[str, Any]:
        """Does nothing, so that what asking costs can be measured."""
        return {}

    def load(self, threads: int) -> dict[str, Any]:
        """Imports the solution."""
        import torch

        torch.set_num_threads(threads)
        sys.path.insert(0, os.getcwd())
        from solution import prefix_sum  # type: ignore[import-not-found]

        self._torch, self._call = torch, prefix_sum
        return {}

    def rouse(self, length: int, device: str) -> dict[str, Any]:
        """Does what the classic scorer does before a call: draws an input, computes a reference.

        It leaves memory and threads as a function finds them there.
        """
        import torch

        x = torch.randint(-10, 10, (length,), dtype=torch.int32, device=device)
        positive = (x > 0).to(torch.int64)
        before = torch.cumsum(positive, 0) - positive
        self._before = torch.cumsum(torch.where(before % 2 == 1, x, 0), 0).to(torch.int32)
        return {}

    def call(self, length: int, offset: int = 0, device: str = "cpu") -> dict[str, Any]:
        """Calls the solution on so many integers, which start so many bytes into the memory."""
        torch = self._torch
        self._result = None
        if (length, offset) not in self._inputs:
            # Kept, so that the same object can come again with new content.
            self._inputs[length, offset] = torch.frombuffer(
                self._memory, dtype=torch.int32, count=length, offset=offset
            )
        x = self._inputs[length, offset]
        y = self._call(x if device == "cpu" else x.to(device))
        said: dict[str, Any] = {"type": f"{type(y).__module__}.{type(y).__qualname__}"}
        if not isinstance(y, torch.Tensor):
            return said
        said |= {"shape": list(y.shape), "dtype": str(y.dtype), "device": y.device.type}
        self._result = y = y.detach().cpu().contiguous()
        return {**said, "pointer": y.data_ptr(), "bytes": y.numel() * y.element_size()}

    def copy(self, length: int, device: str, threads: int) -> dict[str, Any]:
        """Times copies of so many integers; for a sandbox without a solution."""
        import time

        import torch

        torch.set_num_threads(threads)
        best = float("inf")
        for size in (length // 4, length // 2, length):
            source = torch.ones(size, dtype=torch.int32, device=device)
            target = torch.empty_like(source)
            for _ in range(12):
                began = time.perf_counter()
                target.copy_(source)
                if device != "cpu":
                    torch.cuda.synchronize()
                seconds = time.perf_counter() - began
                best = min(best, 1000 * seconds * length / size)
        return {"ms": best}


def main() -> None:
    """Answers requests until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    server = Server(mmap.mmap(int(sys.argv[2]), 0))
    control.send(b"{}")
    while asked := control.recv(1 << 16):
        request = json.loads(asked)
        token, what = request.pop("token"), request.pop("what")
        try:
            said = getattr(server, what)(**request)
        except Exception as error:
            # Half a surrogate pair, as in a name that is no UTF-8, cannot be passed on.
            text = f"{type(error).__name__}: {error}"[:500]
            said = {"error": text.encode("utf-8", "replace").decode()}
        control.send(json.dumps({**said, "token": token}).encode())


if __name__ == "__main__":
    main()
