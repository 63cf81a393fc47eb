"""Runs an attempt from its first moment to its last: an agent, a budget of time, a score desk.

`run` makes the attempt, lets the agent work until it ends or the time is up, serves its requests
for scores, takes a last one and notes the end. Agents are in `command.py` (any program, in the
sandbox), `llm.py` (a model behind an endpoint, whose commands run in the sandbox) and `human.py`.
"""

from harness.running.room import Room, Worker
from harness.running.run import Ended, run

__all__ = ["Ended", "Room", "Worker", "run"]
