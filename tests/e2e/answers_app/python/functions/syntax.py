compile("def handler(:\n", "rows.py", "exec")


def handler(event, context): ...
