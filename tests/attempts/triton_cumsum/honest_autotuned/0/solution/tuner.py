"""Picks the fastest of several functions, per length, the first time that length is seen."""
from time import perf_counter

REPEATS = 3


class Tuner:
    def __init__(self, candidates):
        self.candidates = candidates
        self.best = {}

    def __call__(self, x):
        n = x.numel()
        if n not in self.best:
            name, y = self.tune(x)
            self.best[n] = self.candidates[name]
            return y
        return self.best[n](x)

    def tune(self, x):
        times = {}
        for name, run in self.candidates.items():
            run(x)  # allocations and thread start-up are not what we compare
            samples = []
            for _ in range(REPEATS):
                t0 = perf_counter()
                y = run(x)
                samples.append(perf_counter() - t0)
            times[name] = min(samples)
        return min(times, key=times.get), y
