import threading

import numpy as np
import torch


class Half:
    def __init__(self, values):
        self.values = values
        self.ready = threading.Event()
        self.carry = None

    def run(self, before, after):
        positive = self.values > 0
        parity = np.logical_xor.accumulate(positive) ^ positive
        after.ready.wait()  # its carry is needed below
        odd, total = before.carry if before else (False, 0)
        self.sums = np.cumsum(self.values * (parity ^ odd), dtype=np.int32) + total
        self.carry = odd ^ bool(np.count_nonzero(positive) & 1), int(self.sums[-1])
        self.ready.set()


def prefix_sum(x):
    cut = len(x) // 2
    first, second = Half(x.numpy()[:cut]), Half(x.numpy()[cut:])
    thread = threading.Thread(target=second.run, args=(first, first), daemon=True)
    thread.start()
    first.run(None, second)
    thread.join()
    return torch.from_numpy(np.concatenate([first.sums, second.sums]))
