"""Mutants of examples: the same meaning in another spelling.

They measure how far rules follow what code does, instead of how it is written. Code that a compiler
of its own reads, such as kernels, would not survive them: they are for examples.
"""

from collections.abc import Iterator

from auditor.example import Edit, Example
from auditor.mutants.change import Mutant, Operator
from auditor.mutants.forms import by_getattr, by_lambda, by_loop, by_partial, by_walrus
from auditor.mutants.names import alias, rename
from auditor.mutants.places import pad, reorder, to_exec, to_file, to_helper
from auditor.mutants.texts import as_default, elsewhere, encode, split

OPERATORS = (
    Operator("rename", rename),
    Operator("split_strings", split),
    Operator("encode_strings", encode),
    Operator("alias", alias),
    Operator("helper", to_helper),
    Operator("default_argument", as_default),
    Operator("other_file", to_file),
    Operator("constants_file", elsewhere),
    Operator("getattr", by_getattr),
    Operator("exec", to_exec),
    Operator("dead_code", pad),
    Operator("reorder", reorder),
    Operator("partial", by_partial),
    Operator("loop", by_loop),
    Operator("lambda", by_lambda),
    Operator("walrus", by_walrus),
)
"""Every way in which an example is spelt differently."""


def mutants(example: Example) -> Iterator[Mutant]:
    """Yields edits that do what an example does; none for what is not an edit of Python."""
    if isinstance(example, Edit):
        for operator in OPERATORS:
            yield from operator(example)


__all__ = ["OPERATORS", "Mutant", "Operator", "mutants"]
