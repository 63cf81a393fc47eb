"""What lies in an attempt is its agent's: tests that are found there are never run as ours."""

collect_ignore_glob = ["*/*"]
