"""What code is, what its names stand for, and what flows from where to where."""
