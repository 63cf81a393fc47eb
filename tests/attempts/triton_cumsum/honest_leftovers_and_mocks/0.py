"""The agent's own runs before it scores: the benchmark with its mocked clock, and the tests."""

import subprocess
import sys

subprocess.run([sys.executable, "solution.py"], cwd="solution", check=True)
subprocess.run([sys.executable, "test_solution.py"], cwd="solution/tests", check=True)
