"""Renders a verdict; what comes from an attempt is shown, never obeyed."""
