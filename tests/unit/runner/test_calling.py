"""How handlers are called: by a worker, and alike by `job_handler`, which has no runner."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from devbridge.job import job_handler
from devbridge.payload import kinds
from runner.calling import arguments


def none() -> Any:
    return ()


def one(payload: Any) -> Any:
    return (payload,)


def two(payload: Any, context: Any) -> Any:
    return payload, context


def keyword(payload: Any, *, verbose: bool = False) -> Any:
    return (payload,)


def passing(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def nameless(function: Any) -> Any:
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def giving(function: Any) -> Any:
    """Injects an argument."""

    @functools.wraps(function)
    def wrapper(payload: Any) -> Any:
        return function(payload, "given")

    return wrapper


def taking(function: Any) -> Any:
    """Removes an argument."""

    @functools.wraps(function)
    def wrapper(event: Any, context: Any, **more: Any) -> Any:
        return function(event, **more)

    return wrapper


def telling(function: Any) -> Any:
    """Says what it takes: nothing else could tell that it gives the second argument."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args, "given")

    wrapper.__signature__ = inspect.signature(one)  # type: ignore[attr-defined]
    return wrapper


class Taking:
    """A decorator that is a class."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, payload: Any, context: Any) -> Any:
        return self.function(payload)


class Passing(Taking):
    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


class Handler:
    def __call__(self, payload: Any) -> Any:
        return (payload,)

    @passing
    def passed(self, payload: Any) -> Any:
        return (payload,)

    @giving
    def given(self: Any, context: Any) -> Any:
        return self, context

    @classmethod
    @passing
    def of_class(cls, payload: Any) -> Any:
        return (payload,)

    @staticmethod
    @passing
    def of_none(payload: Any) -> Any:
        return (payload,)


class Passed:
    @passing
    def __call__(self, payload: Any) -> Any:
        return (payload,)


@passing
async def coroutine(payload: Any) -> Any:
    return (payload,)


def bound_to(first: Any, payload: Any) -> Any:
    return (payload,)


def middleware(handler: Any, event: Any, context: Any) -> Any:
    return handler(event, context)


def middlewares(decorator: Any) -> Any:
    """As aws-lambda-powertools makes decorators of functions."""

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(event: Any, context: Any, **more: Any) -> Any:
            return functools.partial(decorator, function, event, context, **more)()

        return wrapper

    return decorate


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (none, ()),
        (one, (1,)),
        (two, (1, "c")),
        (keyword, (1,)),
        (lambda *args: args, (1, "c")),
        (lambda payload=None, *rest: (payload, *rest), (1, "c")),
        (Handler(), (1,)),
        (Handler().__call__, (1,)),
        (passing(none), ()),
        (passing(one), (1,)),
        (passing(passing(two)), (1, "c")),
        (nameless(two), (1, "c")),
        (giving(two), (1, "given")),
        (passing(giving(two)), (1, "given")),
        (taking(one), (1,)),
        (taking(giving(two)), (1, "given")),
        (passing(taking(passing(one))), (1,)),
        (telling(two), (1, "given")),
        (passing(telling(two)), (1, "given")),
        (Taking(one), (1,)),
        (Passing(one), (1,)),
        (Passing(giving(two)), (1, "given")),
        (Passed(), (1,)),
        (Handler().passed, (1,)),
        (Handler.of_class, (1,)),
        (Handler().of_none, (1,)),
        (functools.partial(bound_to, 0), (1,)),
        (functools.partial(passing(bound_to), 0), (1,)),
        (functools.partial(passing(two), context="given"), (1, "given")),
        (functools.partial(Handler().passed), (1,)),
        (functools.cache(one), (1,)),
        (functools.cache(giving(two)), (1, "given")),
        (functools.singledispatch(one), (1,)),
        (middlewares(middleware)(two), (1, "c")),
        (job_handler("x")(one), (1,)),
        (passing(job_handler("x")(two)), (1, "c")),
        (taking(job_handler("x")(giving(two))), (1, "given")),
    ],
)
def test_what_is_called_decides_what_it_gets(handler: Any, expected: Any) -> None:
    assert arguments(handler) == kinds.arguments(handler)
    assert handler(*(1, "c")[: arguments(handler)]) == expected
    assert job_handler("x")(handler)(1, "c") == expected


def test_a_method_is_given_what_its_decorator_takes() -> None:
    handler = Handler().given
    assert arguments(handler) == kinds.arguments(handler) == 0
    assert handler()[1] == "given"


def test_a_coroutine_is_called_as_a_function_is() -> None:
    assert arguments(coroutine) == kinds.arguments(coroutine) == 1


def test_what_tells_nothing_gets_both() -> None:
    assert arguments(print) == kinds.arguments(print) == 2
    assert arguments(dict.fromkeys) == kinds.arguments(dict.fromkeys) == 2
    assert arguments(type) == kinds.arguments(type) == 2
