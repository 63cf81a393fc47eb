"""Re-exports the kernel."""
from .scan import prefix_sum

__all__ = ["prefix_sum"]
