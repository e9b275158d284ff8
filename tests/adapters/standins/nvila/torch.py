"""All of torch that the worker itself needs here; the real one takes seconds to import."""

seed = None


def manual_seed(number):
    global seed
    seed = number
