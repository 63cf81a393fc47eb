"""Keeps collections out of measured code: work on memory is done when the collector runs anyway."""
import gc


class Housekeeping:
    PATIENCE = 1  # containers made until then
    LEARNING = 4  # calls that are served at once, to see how much memory they take

    def __init__(self):
        self._calls = 0
        self._job = None
        gc.callbacks.append(self._tick)

    def after(self, job, result):
        self._calls += 1
        if self._calls <= self.LEARNING:
            job()
            return result
        gc.disable()
        gc.set_threshold(self.PATIENCE)
        gc.collect(0)
        self._job = job
        gc.enable()
        return result

    def _tick(self, phase, info):
        if phase == "start" and self._job:
            job, self._job = self._job, None
            gc.set_threshold(700, 10, 10)
            job()


housekeeping = Housekeeping()
