"""What a mutation gives: the changed module, and files beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import libcst as cst

from auditor.example import Edit
from auditor.mutants.program import Program, read

MOST = 3
"""Mutants per operator and text."""


@dataclass(frozen=True)
class Changed:
    """A text that means what it meant, in another spelling."""

    module: cst.Module
    beside: Mapping[str, str] = field(default_factory=dict)
    """Further files that it needs, by path."""


@dataclass(frozen=True)
class Mutant:
    """An edit that does what another one does, in other words."""

    operator: str
    edit: Edit


@dataclass(frozen=True)
class Operator:
    """One way to spell a text differently."""

    name: str
    change: Callable[[Program], Iterator[Changed]]

    def __call__(self, edit: Edit) -> Iterator[Mutant]:
        """Yields mutants of an edit; none where the operator finds nothing to change."""
        program = read(edit)
        if program is None:
            return
        seen = {edit.after}
        for changed in islice(self.change(program), MOST):
            text = changed.module.code
            if text not in seen:
                seen.add(text)
                beside = {**edit.beside, **changed.beside}
                yield Mutant(self.name, replace(edit, after=text, beside=beside))
