"""What the auditor can refuse, as part of the tree in `harness/errors.py`.

HarnessError
└── AuditError               an audit cannot be made
    └── RuleSetError         the rules in force cannot be loaded, or are none
"""

from harness.errors import HarnessError


class AuditError(HarnessError):
    """An audit cannot be made."""


class RuleSetError(AuditError):
    """The rules in force cannot be loaded, or there are none."""
