"""Which operators a model may be made of: what the instructions list and what a trace may hold.

It is read by the harness, and by the programs of ours that run in sandboxes.
"""

from typing import NamedTuple


class Family(NamedTuple):
    """What the instructions allow in one line, and the ATen operators behind it."""

    allowed: str
    example: str
    """An expression in `x` [B, T, D], `w` [D, D], `table` [V, D], `tokens` [B, T]."""
    operators: str
    """Names of ATen operators, without the underscore at the end of those that work in place."""


FAMILIES = (
    Family("`nn.Linear`, `F.linear`", "F.linear(x, w)", "linear addmm mm"),
    Family("`nn.Embedding`, `F.embedding`", "F.embedding(tokens, table)", "embedding"),
    Family(
        "`matmul`, `@`, `einsum`, `bmm`, `dot`",
        "torch.einsum('btd,bsd->bts', x, x @ w)",
        "matmul mm bmm mv dot vdot addmv addr baddbmm addbmm einsum outer ger inner tensordot "
        "chain_matmul linalg_matmul linalg_multi_dot linalg_vecdot kron",
    ),
    Family("`sum`", "x.sum(-1, keepdim=True)", "sum"),
    Family("`+`", "x + 1.5", "add addcmul"),
    Family("`*`", "x * 0.25 * x", "mul multiply"),
    Family(
        "`-`, which adds what was multiplied by -1",
        "1 - x - (-x)",
        "sub rsub subtract neg negative",
    ),
    Family("`relu`, the only nonlinearity", "F.relu(x)", "relu"),
    Family(
        "slices and indices that are no activations",
        "x[:, 1:][:, torch.tensor([0, 1])]",
        "slice select narrow index index_select gather take take_along_dim unfold as_strided "
        "diagonal index_put _index_put_impl index_copy index_add scatter scatter_add "
        "split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk unbind "
        "tensor_split hsplit vsplit dsplit",
    ),
    Family(
        "other shapes: `reshape`, `view`, `transpose`, `unsqueeze`, `expand`, `repeat`, ...",
        "x.transpose(1, 2).reshape(x.shape[0], -1).unsqueeze(1)",
        "view _unsafe_view reshape _reshape_alias permute transpose t squeeze unsqueeze expand "
        "repeat tile movedim moveaxis swapaxes swapdims flatten unflatten ravel view_as expand_as "
        "reshape_as numpy_T mT adjoint atleast_2d atleast_3d broadcast_to broadcast_tensors "
        "repeat_interleave meshgrid cartesian_prod rot90 block_diag diag_embed",
    ),
    Family(
        "`cat`, `stack`, `F.pad` with a constant, `roll`, `flip`",
        "torch.cat([F.pad(x, (0, 0, 1, 1)), x.roll(1, 1)], 1)",
        "cat concat concatenate stack hstack vstack column_stack constant_pad_nd pad roll flip",
    ),
    Family(
        "fixed tensors: `zeros`, `ones`, `full`, `arange`, `linspace`, `eye`, `tril`, "
        "`torch.tensor`",
        "x * torch.tril(torch.ones(x.shape[2], x.shape[2])).sum(0)",
        "zeros zeros_like new_zeros ones ones_like new_ones full full_like new_full arange eye "
        "linspace tril triu tril_indices triu_indices scalar_tensor lift_fresh lift_fresh_copy "
        "empty empty_like new_empty empty_strided new_empty_strided empty_permuted",
    ),
    Family(
        "copies, also into a part, and other floating types (autocast)",
        "x.clone().to(torch.bfloat16).float()",
        "clone copy contiguous detach alias to type_as _to_copy fill zero slice_scatter "
        "select_scatter diagonal_scatter",
    ),
)

ALLOWED = frozenset(name for family in FAMILIES for name in family.operators.split())
UNWRITTEN = frozenset(
    ["empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"]
)
"""What these make holds zeros when a program is executed by us."""
CREATING = UNWRITTEN | frozenset(
    ["zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like",
     "new_full", "arange", "eye", "scalar_tensor"]
)  # fmt: skip
"""Operators whose result holds nothing of their inputs."""


WRAPPING = "aten::remainder"
"""What `take_along_dim` does to its indices, so that negative ones count from the end."""


def is_allowed(name: str) -> bool:
    """Returns whether `namespace::operator`, as a trace has it, may be used."""
    space, _, operator = name.partition("::")
    return space == "aten" and (operator in ALLOWED or operator.rstrip("_") in ALLOWED)


def plain(name: str) -> str:
    """Returns an operator's name without its namespace and the mark of those that work in place."""
    operator = name.partition("::")[2]
    return operator if operator in ALLOWED else operator.rstrip("_")
