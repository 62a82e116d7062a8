import json

VALUE = json.loads("not json")


def handler(payload): ...
