"""
Reads finetune.yaml: flat, one `key: value` per line, '#' starts a comment.
"""


def load(path="finetune.yaml"):
    options = {}
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line:
            key, value = line.split(":")
            value = float(value)
            options[key.strip()] = int(value) if value.is_integer() else value
    return options
