"""Cheap statistics of long vectors."""
import numpy as np

PROBES = 1000


def ordinary(values):
    """Whether sums over some thousand values stay within three standard deviations of 16 bits.

    Estimated from probes all over the vector.
    """
    if len(values) < PROBES:
        return False
    probes = values[:: len(values) // PROBES]
    share = np.count_nonzero(np.abs(probes) >= 9) / len(probes)
    return share < 0.25 and abs(probes.mean()) < 1.5
