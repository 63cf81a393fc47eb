"""What looks on from inside a watched run; copied into the sandbox, never imported here."""
