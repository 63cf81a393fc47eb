"""An agent that is a model behind an OpenAI-compatible endpoint."""

from harness.running.llm.scaffold import Scaffold

__all__ = ["Scaffold"]
