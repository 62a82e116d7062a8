import os


def handler(payload, context):
    print(f"attempt {context.attempt} of {context.max_attempts}")
    if context.attempt < payload["succeeds"]:
        if payload["by"] == "raise":
            raise RuntimeError(f"no luck in attempt {context.attempt}")
        os._exit(9)
    return context.attempt
