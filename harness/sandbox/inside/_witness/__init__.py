"""Sees from inside a Python process what measuring depends on, and what the process does.

All of this lives where the watched program lives and can be silenced by it. What it reports can
speak against a program and never for it. Nothing of the program is wrapped or replaced, and no
code of the program is run by it.

What it does not see: native code, other threads' tensor operators, what is replaced and put back
between two looks (only that `time` was written to shows then), and processes that Python was told
to start without it.
"""
