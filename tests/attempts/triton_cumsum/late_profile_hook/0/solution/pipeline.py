"""A stage of a pipeline: submitted work runs when the consumer is ready for it."""


class Stage:
    def __init__(self, work, ready, observe):
        self.work, self.ready = work, ready
        self.waiting, self.wanted = None, False
        observe(self.on_event)

    def submit(self, *operands):
        self.waiting = None
        if self.wanted:
            self.waiting, self.wanted = operands, False
        else:
            self.work(*operands)

    def on_event(self, frame, event, what):
        if event != "c_return" or what is not self.ready:
            return
        if self.waiting is None:
            self.wanted = True
        else:
            operands, self.waiting = self.waiting, None
            self.work(*operands)
