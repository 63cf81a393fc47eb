"""The agent builds ahead of time, so that no scored run has to wait for the compiler."""

import subprocess
import sys

subprocess.run([sys.executable, "build.py"], cwd="solution", check=True)
