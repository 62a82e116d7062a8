def handler(payload):
    if payload["fail"]:
        raise ValueError(payload["card"])
    return payload["card"]
