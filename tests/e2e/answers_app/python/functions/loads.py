def handler(event, context): ...


raise ValueError("no such thing")
