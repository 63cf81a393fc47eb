"""The commands `score` and `score_log` inside the sandbox: they ask, the harness answers.

Only the text of this file goes into the sandbox; nothing that it does is believed.
"""

import os
import socket
import sys

ASKED = {"score": b"score\n", "score_log": b"score_log\n"}


def main() -> int:
    """Prints the answer, JSON; returns 0 where there was one."""
    asked = ASKED.get(os.path.basename(sys.argv[0]))
    if asked is None:
        print("call me score or score_log", file=sys.stderr)
        return 2
    with socket.socket(socket.AF_UNIX) as desk:
        desk.connect(os.environ["SCORE_DESK"])
        desk.sendall(asked)
        answer = b""
        while part := desk.recv(1 << 16):
            answer += part
    sys.stdout.write(answer.decode("utf-8", "replace"))
    return 0 if answer else 1


if __name__ == "__main__":
    raise SystemExit(main())
