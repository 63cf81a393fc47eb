"""Collects evidence from attempts, applies rules, settles findings and decides verdicts."""
