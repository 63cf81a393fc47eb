"""What is wrong with a file of weights: a fact about it, never a fault of ours."""


class Unreadable(Exception):
    """A file does not hold what it claims to; the message says what, without its name."""
