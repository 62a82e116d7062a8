def handler(event, context): ...


del handler
