"""mypy and pyright on programs that use the generated stubs: what they flag, line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import devbridge
from devbridge.constructs.load import load_app
from devbridge.languages.python.types import probe
from devbridge.types import write

FILES = {
    "app.py": """
        from devbridge import Api, App, Bucket, Config, Job, Queue, Secret, Table, Topic

        app = App("typed")
        notes = Table(app, "notes", partition_key="id")
        forgotten = Table(app, "forgotten", partition_key="id")
        uploads = Bucket(app, "my-uploads")
        work = Queue(app, "work")
        news = Topic(app, "news")
        key = Secret(app, "api-key")
        level = Config(app, "level", value="info")
        names = ["factorial", "resize-images", "order", "tagged", "plain", "broken"]
        names += ["album", "box", "list", "int", "home", "points", "train", "watch"]
        handlers = {
            "list": "jobs/box.houses",
            "int": "jobs/box.tents",
            "home": "jobs/pets.handler",
            "points": "jobs/pets.points",
            "train": "jobs/train.handler",
            "watch": "jobs/train.watch",
        }
        jobs = [
            Job(
                app,
                name,
                handler=handlers.get(name, f"jobs/{name.replace('-', '_')}.handler"),
                bind=[notes, uploads, work, news, key, level],
            )
            for name in names
        ]
        Api(app, "api", routes={"POST /start": "api/good.handler"}, bind=jobs)
        """,
    "jobs/factorial.py": """
        from dataclasses import dataclass

        from devbridge.job import job_handler
        from devbridge.resources import Table

        NOTES = Table.notes.table_name

        @dataclass
        class Factorial:
            num: int

        @job_handler("factorial")
        def handler(payload: Factorial) -> int:
            return payload.num
        """,
    "jobs/resize_images.py": """
        import datetime
        import enum
        from dataclasses import dataclass, field
        from typing import Any

        from devbridge.job import job_handler

        class Mode(enum.Enum):
            FIT = "fit"
            FILL = "fill"

        @dataclass
        class Size:
            width: int
            height: float | None = None

        @dataclass
        class Image:
            key: str
            sizes: list[Size]
            mode: Mode = Mode.FIT
            tags: dict[str, str] = field(default_factory=dict)
            when: datetime.datetime | None = None

        @dataclass
        class Resized:
            key: str
            sizes: list[Size] = field(default_factory=list)

        @job_handler("resize-images")
        async def handler(payload: Image, context: Any) -> list[Resized]:
            return []
        """,
    "jobs/order.py": """
        from typing import Any

        from pydantic import BaseModel, Field

        from devbridge.job import job_handler

        class Order(BaseModel):
            order_id: int = Field(alias="orderId")
            lines: list[str] = []

        @job_handler("order")
        def handler(payload: Order) -> dict[str, Any]:
            return {}
        """,
    "jobs/tagged.py": """
        import msgspec

        from devbridge.job import job_handler

        class Circle(msgspec.Struct, tag=True):
            radius: float

        class Square(msgspec.Struct, tag=True, rename="kebab"):
            side_length: float

        @job_handler("tagged")
        def handler(payload: Circle | Square | None = None) -> None:
            return None
        """,
    "jobs/plain.py": """
        from typing import Any

        def handler(event: Any, context: Any) -> Any:
            return event
        """,
    "jobs/album.py": """
        from typing import NotRequired, TypedDict

        from devbridge.job import job_handler

        class Photo(TypedDict):
            key: str
            tags: list[str]

        class Album(TypedDict):
            name: str
            photos: list[Photo]
            counts: NotRequired[dict[str, int]]

        @job_handler("album")
        def handler(payload: Album) -> Album:
            return payload
        """,
    "jobs/box.py": """
        from dataclasses import dataclass
        from typing import Generic, NewType, TypeVar

        import attrs

        from devbridge.job import job_handler

        T = TypeVar("T")

        @dataclass
        class Box(Generic[T]):
            item: T

        @dataclass
        class House:
            property: str
            object: int

        Home = NewType("Home", House)

        @attrs.define
        class Tent:
            size: int

        @job_handler("box")
        def handler(payload: Box[int]) -> None:
            return None

        @job_handler("list")
        def houses(payload: Home) -> list[int]:
            return []

        @job_handler("int")
        def tents(payload: Tent | None) -> int:
            return 1
        """,
    "jobs/pets.py": """
        from typing import Annotated, Literal, NamedTuple

        from pydantic import BaseModel, Field

        from devbridge.job import job_handler

        class Cat(BaseModel):
            kind: Literal["cat"] = "cat"
            lives: int = 9

        class Dog(BaseModel):
            kind: Literal["dog"] = "dog"

        class Home(BaseModel):
            property: str
            pet: Annotated[Cat | Dog, Field(discriminator="kind")]

        class Point(NamedTuple):
            x: int
            y: int = 0

        @job_handler("home")
        def handler(payload: Home) -> None:
            return None

        @job_handler("points")
        def points(payload: list[Point]) -> list[Point]:
            return payload
        """,
    "jobs/train.py": """
        from collections.abc import AsyncIterator, Generator
        from dataclasses import dataclass

        from devbridge.job import JobContext, job_handler

        @dataclass
        class State:
            epoch: int = 0

        @job_handler("train")
        def handler(payload: int, context: JobContext[State]) -> Generator[State, None, float]:
            state = context.checkpoint or State()
            for epoch in range(state.epoch, payload):
                if context.interrupted:
                    print(context.job_name, context.attempt, context.aws_request_id.upper())
                yield State(epoch + 1)
            return 0.5

        @job_handler("watch")
        async def watch(payload: int, context: JobContext[int]) -> AsyncIterator[int]:
            yield (context.checkpoint or 0) + payload
        """,
    "jobs/broken.py": """
        import not_there  # type: ignore  # pyright: ignore

        def handler(event: int) -> int:
            return event
        """,
    "api/good.py": """
        # pyright: strict
        import os
        from typing import Any

        import devbridge.constructs
        from devbridge import App
        from devbridge.errors import JobFailed
        from devbridge.job import Job, JobCancellation, JobRun, JobStatus, job_handler
        from devbridge.resources import (
            Bucket, Config, Queue, Secret, Table, Topic, fetch_secrets
        )
        from jobs.album import Album, Photo
        from jobs.box import Box, Home, House, Tent
        from jobs.factorial import Factorial
        from jobs.order import Order
        from jobs.pets import Cat, Point
        from jobs.pets import Home as Household
        from jobs.tagged import Circle


        def start(count: int, names: list[str]) -> JobRun:
            Job.factorial.run({"num": count})
            Job.factorial.run(payload=Factorial(num=3))
            Job.resize_images.run({"key": "a", "sizes": []})
            Job.resize_images.run(
                payload={
                    "key": "a",
                    "sizes": [{"width": 1}, {"width": 2, "height": None}],
                    "mode": "fill",
                    "tags": {name: name for name in names},
                    "when": "2030-01-01T00:00:00Z",
                },
                idempotency_key="a",
            )
            Job.resize_images.run({"key": "a", "sizes": ({"width": 1, "height": 2},)})
            Job.order.run({"orderId": 1, "lines": names})
            Job.order.run(Order(orderId=1))
            Job.tagged.run()
            Job.tagged.run({"type": "Circle", "radius": 1})
            Job.tagged.run({"type": "Square", "side-length": 1.5})
            Job.tagged.run(Circle(radius=1))
            photos = [Photo(key=name, tags=names) for name in names]
            album: Album = {"name": "a", "photos": photos}
            Job.album.run(album)
            Job.album.run(Album(name="a", photos=[], counts={"a": 1}))
            Job.album.run({"name": "a", "photos": [{"key": "a", "tags": ("b",)}]})
            Job.album.run({"name": "a", "photos": ({"key": "a", "tags": names},)})
            Job.box.run(Box(1))
            Job.box.run({"item": 1})
            Job.list.run(Home(House("a", 1)))
            Job.list.run(House("a", 1))
            Job.list.run({"property": "a", "object": 1})
            Job.int.run(Tent(1))
            Job.int.run()
            Job.home.run(Household(property="a", pet=Cat()))
            Job.home.run({"property": "a", "pet": {"kind": "cat"}})
            Job.points.run([Point(1), Point(1, 2)])
            Job.points.run([(1,), [1, 2]])
            Job.plain.run()
            Job.plain.run(["anything"])
            return Job.broken.run({"any": "thing"})


        def ask(job_id: str) -> int:
            status: JobStatus = Job.factorial.wait(job_id, timeout=1)
            cancelled: JobCancellation = Job.factorial.cancel(job_id)
            print(status.final, status.error_message, cancelled.was)
            for image in Job.resize_images.result(job_id):
                width: int = image["sizes"][0]["width"]
                print(image["key"].upper(), width)
            nothing: None = Job.tagged.result(job_id)
            print(sum(Job.list.result(job_id)), Job.int.result(job_id) + 1)
            album: Album = Job.album.result(job_id)
            print(album)
            print(nothing, Job.order.result(job_id).get("anything"))
            loss: float = Job.train.result(job_id)
            no_result: None = Job.watch.result(job_id)
            print(loss, no_result)
            return Job.factorial.result(job_id)


        def bound() -> list[str]:
            fetch_secrets()
            return [
                Table.notes.table_name,
                Bucket.my_uploads.bucket_name,
                Queue.work.queue_url,
                Topic.news.topic_arn,
                Secret.api_key.value,
                Config.level.value,
            ]


        @job_handler("factorial")
        def handler(payload: Factorial) -> int:
            app: App = devbridge.App("other")
            print(app, JobFailed("x").exit_code, devbridge.constructs.Table, os.sep)
            return handler({"num": 1})


        @job_handler("resize-images")
        async def with_context(payload: Any, context: Any) -> int:
            return await with_context(payload)
        """,
    "api/bad.py": """
        from collections.abc import Generator
        from typing import Any

        from devbridge import App, Function
        from devbridge import Job as AppJob
        from devbridge.errors import JobFailed
        from devbridge.job import Job, JobContext, JobRun, job_handler
        from devbridge.resources import Bucket, Table
        from jobs.factorial import Factorial
        from jobs.resize_images import Size

        wide: dict[str, Any] = {}


        def start() -> None:
            Job.factorail.run({"num": 1})  # E: attr-defined | reportAttributeAccessIssue
            Job.factorial.run({})  # E: arg-type | reportArgumentType
            Job.factorial.run({"num": "1"})  # E: arg-type | reportArgumentType
            Job.factorial.run({"num": 1, "nmu": 2})  # E: arg-type | reportArgumentType
            Job.factorial.run(wide)  # E: arg-type | reportArgumentType
            Job.factorial.run(Size(width=1))  # E: arg-type | reportArgumentType
            Job.factorial.run()  # E: call-arg | reportCallIssue
            Job.factorial.run({"num": 1}, key="a")  # E: call-arg | reportCallIssue
            Job.resize_images.run({"key": "a", "sizes": [{}]})  # E: arg-type | reportArgumentType
            Job.resize_images.run({"key": "a", "sizes": "abc"})  # E: arg-type | reportArgumentType
            Job.resize_images.run(
                {"key": "a", "sizes": [], "mode": "fitt"}  # E: arg-type | reportArgumentType
            )
            Job.resize_images.run(
                {"key": "a", "sizes": [], "tags": {"a": 1}}  # E: arg-type | reportArgumentType
            )
            Job.order.run({"order_id": 1})  # E: arg-type | reportArgumentType
            Job.album.run({"name": "a"})  # E: typeddict-item | reportArgumentType
            Job.album.run({"name": "a", "photos": {}})  # E: typeddict-item | reportArgumentType
            photo = {"key": "a", "tags": "b"}
            Job.album.run({"name": "a", "photos": [photo]})  # E: list-item | reportArgumentType
            Job.list.run({"property": 1, "object": 1})  # E: arg-type | reportArgumentType
            Job.list.run(1)  # E: arg-type | reportArgumentType
            Job.home.run({"property": "a", "pet": {}})  # E: arg-type | reportArgumentType
            Job.tagged.run({"type": "Circle"})  # E: arg-type | reportArgumentType
            Job.tagged.run({"type": "Round", "radius": 1})  # E: arg-type | reportArgumentType


        def ask(job_id: str) -> JobRun:
            text: str = Job.factorial.result(job_id)  # E: assignment | reportAssignmentType
            number: int = Job.resize_images.result(job_id)  # E: assignment | reportAssignmentType
            for image in Job.resize_images.result(job_id):
                print(image["kye"])  # E: typeddict-item | reportGeneralTypeIssues
            print(text, number)
            Job.factorial.status(job_id).stat()  # E: attr-defined | reportAttributeAccessIssue
            return Job.factorial.status(job_id)  # E: return-value | reportReturnType


        def bound() -> None:
            print(Table.note.table_name)  # E: attr-defined | reportAttributeAccessIssue
            print(Table.forgotten.table_name)  # E: attr-defined | reportAttributeAccessIssue
            print(Bucket.notes.bucket_name)  # E: attr-defined | reportAttributeAccessIssue
            number: int = Table.notes.table_name  # E: assignment | reportAssignmentType
            print(number)


        @job_handler("factorail")  # E: arg-type | reportArgumentType
        def handler(payload: Factorial) -> int:
            app: int = App("other")  # E: assignment | reportAssignmentType
            failed: int = JobFailed("x")  # E: assignment | reportAssignmentType
            return app + failed


        def constructs(app: App) -> None:
            Function(app, "a", handler="a/b.c", tags={"a": "b"}, install=["six"])
            Function(app, "b", handler="a/b.c", tag={})  # E: call-arg | reportCallIssue
            Function(app, "c", handler="a/b.c", tags={"a": 1})  # E: dict-item | reportArgumentType
            Function(app, "d", handler="a/b.c", bind=["d"])  # E: list-item | reportArgumentType
            AppJob(app, "e", handler="a/b.c", architecture="arm64", bind=[])
            AppJob(app, "f", handler="a/b.c", architecture="x")  # E: arg-type | reportArgumentType
            AppJob(app, "g", handler="a/b.c", vpc="vpc-1")  # E: arg-type | reportArgumentType


        @job_handler("train")
        def train(payload: int, context: JobContext[Size]) -> Generator[Size, None, int]:
            state = context.checkpoint
            print(state.width)  # E: union-attr | reportOptionalMemberAccess
            size: int = context.checkpoint  # E: assignment | reportAssignmentType
            yield {"width": size}  # E: misc | reportReturnType
            yield Size(width=context.atempt)  # E: attr-defined | reportAttributeAccessIssue
            return "done"  # E: return-value | reportReturnType


        @job_handler("factorial")  # E: arg-type | reportArgumentType
        def with_more(payload: Factorial, context: Any, more: int) -> int:
            return more
        """,
}

Found = set[tuple[str, int, str]]
"""File, line, and mypy's error code or pyright's rule."""


@dataclass(frozen=True)
class Project:
    """An app with its stubs, and the interpreter whose devbridge it uses."""

    root: Path
    python: Path

    def mypy(self, *arguments: str) -> Found:
        done = self._run(
            sys.executable, "-m", "mypy", "--python-executable", self.python, "--no-pretty",
            "--no-color-output", "--hide-error-context", "--cache-dir", os.devnull, *arguments,
        )  # fmt: skip
        pattern = re.compile(r"(.+?):(\d+): error: .*\[([a-z-]+)\]")
        matches = map(pattern.fullmatch, done.stdout.splitlines())
        found = {(m[1].removeprefix("./"), int(m[2]), m[3]) for m in matches if m}
        assert len(found) == done.stdout.count(": error: "), done.stdout + done.stderr
        return found

    def pyright(self, *arguments: str) -> Found:
        done = self._run(
            Path(sys.executable).with_name("pyright"),
            *("--pythonpath", self.python, "--outputjson", *arguments),
        )
        diagnostics = json.loads(done.stdout)["generalDiagnostics"]
        return {
            (
                Path(d["file"]).relative_to(self.root).as_posix(),
                d["range"]["start"]["line"] + 1,
                d.get("rule", d["message"]),
            )
            for d in diagnostics
            if d["severity"] == "error"
        }

    def _run(self, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={k: v for k, v in os.environ.items() if k != "MYPYPATH"},
        )


def expected(checker: int) -> Found:
    """What the comments of the bad program say: of mypy (0) or pyright (1)."""
    found = set()
    for number, line in enumerate(source("api/bad.py").splitlines(), 1):
        _, mark, codes = line.partition("  # E: ")
        if mark:
            found.add(("api/bad.py", number, codes.split(" | ")[checker]))
    return found


def source(name: str) -> str:
    return textwrap.dedent(FILES[name]).lstrip()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder. No folder in it is a package: mypy must not need that."""
    root = tmp_path_factory.mktemp("app")
    for name in FILES:
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source(name))
    app = load_app(root)
    write(app, probe(app, Path(sys.executable)))
    return root


@pytest.fixture(scope="module")
def editable(root: Path) -> Project:
    """The environment of the tests, in which devbridge is installed from its folder."""
    return Project(root, Path(sys.executable))


@pytest.fixture(scope="module")
def regular(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An environment in which devbridge's files are copied, and its dependencies are linked."""
    home = tmp_path_factory.mktemp("regular")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    packages = next(home.glob("lib/python3*/site-packages"))
    shutil.copytree(Path(devbridge.__file__).parent, packages / "devbridge")
    here = Path(sysconfig.get_path("purelib"))
    for name in (
        "attr",
        "attrs",
        "msgspec",
        "pydantic",
        "pydantic_core",
        "annotated_types",
        "typing_inspection",
    ):
        (packages / name).symlink_to(here / name)
    return Project(root, home / "bin" / "python")


def test_mypy_flags_what_is_wrong_and_nothing_else_without_configuration(editable: Project) -> None:
    found = editable.mypy("--strict", "api", "typings")
    assert sorted(found ^ expected(0)) == []


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ('mypy_path = "typings"', ["api/good.py", "api/bad.py"]),
        # the second line is for the app's own imports: none of its folders has an __init__.py
        ('mypy_path = "typings"\nexplicit_package_bases = true', ["--strict", "."]),
    ],
    ids=["single files", "the whole folder"],
)
def test_mypy_needs_one_line_where_it_is_not_given_the_stubs(
    settings: str, arguments: list[str], regular: Project, tmp_path: Path
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.mypy]\n{settings}\n")
    found = regular.mypy("--config-file", str(file), *arguments)
    assert sorted(found ^ expected(0)) == []


@pytest.mark.parametrize("install", ["editable", "regular"])
def test_pyright_flags_what_is_wrong_and_nothing_else_without_configuration(
    install: str, request: pytest.FixtureRequest
) -> None:
    project: Project = request.getfixturevalue(install)
    assert sorted(project.pyright() ^ expected(1)) == []
