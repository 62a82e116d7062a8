import importlib

NAME = "nothing_of_that_name"
importlib.import_module(NAME)


def handler(event, context): ...
