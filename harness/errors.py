"""Everything the harness can refuse, and whose fault it is.

HarnessError                 what happened, where, and what to do next
├── UsageError               the caller named something that is not there or not usable
├── InvalidSolution          the attempt broke a rule of the task; the text is shown to the agent
├── SnapshotRefused          the workspace cannot be copied whole; no score is logged
├── LogForged                a signed log does not verify
├── ScorerFailure            our scorer or instance failed; never the agent's fault
└── SandboxUnavailable       this machine cannot isolate a run
"""


class HarnessError(Exception):
    """A refusal that a person can act on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def diagnostics(self) -> str:
        """Returns what happened and, when known, what to try next, in one line each."""
        return f"{self}\n{self.hint}" if self.hint else str(self)


class UsageError(HarnessError):
    """The caller named something that is not there or not usable."""


class InvalidSolution(HarnessError):
    """The attempt broke a rule of the task; the text is shown to the agent."""


class SnapshotRefused(HarnessError):
    """The workspace cannot be copied whole, so it cannot be scored."""


class LogForged(HarnessError):
    """A signed log does not verify."""


class ScorerFailure(HarnessError):
    """Our scorer or instance failed; never counted against the agent."""


class SandboxUnavailable(HarnessError):
    """This machine cannot isolate a run."""


def unusable(error: OSError) -> UsageError:
    """Returns the refusal that stands for one of the system's: what, on which path, what next."""
    where = f"{error.filename} cannot be used: " if error.filename is not None else ""
    return UsageError(
        f"{where}{error.strerror or error}.",
        hint="Check that the path is right, that you may use it, and that there is space left.",
    )
