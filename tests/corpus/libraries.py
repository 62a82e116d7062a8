"""The table: how a handler uses each library, and whether its job may be forked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SDK: Final = "import boto3\nclient = boto3.client('s3', region_name='eu-west-1')\n"
"""Without network; in a fork it is what was preloaded, or must not be."""


@dataclass(frozen=True, slots=True)
class Library:
    """One library in a handler. `use` is an expression, its value the result of the run."""

    name: str
    use: str
    before: str = ""
    """Code in front of the SDK's import."""
    after: str = ""
    """Code behind it."""
    needs: tuple[str, ...] = ()
    """What to install, if it is not the library's name."""
    fresh: bool = False
    """Its import changes what is preloaded: the job needs fresh interpreters."""
    varies: bool = False
    """The runs are to give different results, as those of a program that is started again do."""
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def code(self) -> str:
        return f"{self.before}\n{SDK}{self.after}\ndef use():\n    return {self.use}\n"

    @property
    def packages(self) -> tuple[str, ...]:
        return self.needs or (self.name,)


MONKEY: Final = "from gevent import monkey\nmonkey.patch_all()"

LIBRARIES: Final = (
    # What must stay fresh: it replaces, before the SDK is imported, what the SDK imports.
    Library("gevent", "client.meta.region_name", MONKEY, fresh=True),
    Library(
        "eventlet",
        "client.meta.region_name",
        "import eventlet\neventlet.monkey_patch()",
        fresh=True,
    ),
    Library(
        "truststore",
        "__import__('ssl').SSLContext.__module__",
        "import truststore\ntruststore.inject_into_ssl()",
        fresh=True,
    ),
    Library(
        "PySocks",
        "__import__('socket').socket.__module__",
        "import socket, socks\nsocket.socket = socks.socksocket",
        fresh=True,
    ),
    Library(
        "freezegun",
        "str(__import__('datetime').date.today())",
        "import freezegun\nfreezegun.freeze_time('2020-02-02').start()",
        fresh=True,
    ),
    Library(
        "beartype",
        "client.meta.region_name",
        "from beartype.claw import beartype_packages\nbeartype_packages(['jmespath'])",
        fresh=True,
    ),
    Library(
        "typeguard",
        "client.meta.region_name",
        "import typeguard\ntypeguard.install_import_hook(['s3transfer'])",
        fresh=True,
    ),
    Library(
        "sentry-sdk",
        "sentry_sdk.is_initialized()",
        "import sentry_sdk\nsentry_sdk.init()",
        fresh=True,
    ),
    # What reads its environment, or draws, when it is imported.
    Library(
        "tqdm",
        "tqdm.tqdm([]).disable",
        after="import tqdm",
        environment=(("TQDM_DISABLE", "1"),),
    ),
    Library(
        "loguru",
        "[logger._core.handlers[0].levelno]",
        after="from loguru import logger",
        environment=(("LOGURU_LEVEL", "ERROR"),),
    ),
    Library("faker", "faker.Faker().address()", after="import faker", varies=True),
    Library(
        "threadpoolctl",
        "[one['num_threads'] for one in threadpoolctl.threadpool_info()]",
        "import os\nos.environ['OPENBLAS_NUM_THREADS'] = '1'\nimport numpy, threadpoolctl",
        needs=("numpy", "threadpoolctl"),
    ),
    Library("numpy", "numpy.random.default_rng().random()", "import numpy", varies=True),
    Library(
        "matplotlib",
        "os.path.isdir(matplotlib.get_configdir())",
        after="import os, matplotlib",
        environment=(("MPLCONFIGDIR", "/proc/none"),),
    ),
    Library("structlog", "structlog.is_configured()", after="import structlog"),
    # What is imported beside the SDK.
    Library("requests", "requests.Request('GET', 'http://a/').prepare().url", "import requests"),
    Library("httpx", "str(httpx.URL('http://a/b').path)", "import httpx"),
    Library("aiohttp", "aiohttp.http.RESPONSES[200][0]", "import aiohttp.http"),
    Library(
        "pydantic",
        "M(a='1').model_dump()",
        "import pydantic\nclass M(pydantic.BaseModel):\n    a: int",
    ),
    Library("attrs", "attrs.asdict(A(1))", "import attrs\n@attrs.define\nclass A:\n    a: int"),
    Library("msgspec", "msgspec.json.decode(b'[1]')", after="import msgspec"),
    Library("orjson", "orjson.loads(b'[1]')", "import orjson"),
    Library("pandas", "pandas.DataFrame({'a': [1, 2]}).sum().to_dict()", "import pandas"),
    Library("pillow", "PIL.Image.new('L', (2, 3)).size[1]", "import PIL.Image"),
    Library("lxml", "lxml.etree.fromstring('<a/>').tag", after="import lxml.etree"),
    Library("beautifulsoup4", "bs4.BeautifulSoup('<p>x', 'html.parser').p.text", "import bs4"),
    Library("PyYAML", "yaml.safe_load('a: 1')", "import yaml"),
    Library("jinja2", "jinja2.Template('{{ 1 + 1 }}').render()", after="import jinja2"),
    Library("rich", "rich.text.Text('x').plain", "import rich.text"),
    Library(
        "cryptography",
        "len(Fernet.generate_key())",
        "from cryptography.fernet import Fernet",
    ),
    Library("PyJWT", "jwt.encode({}, 'k' * 32).count('.')", after="import jwt"),
    Library(
        "sqlalchemy",
        "sqlalchemy.create_engine('sqlite://').connect().scalar(sqlalchemy.text('select 1'))",
        "import sqlalchemy",
    ),
    Library("redis", "redis.Redis().connection_pool.max_connections > 0", after="import redis"),
    Library("pymongo", "len(str(bson.ObjectId())) ", "import pymongo, bson"),
    Library("openpyxl", "openpyxl.Workbook().active.title", after="import openpyxl"),
    Library("networkx", "networkx.path_graph(3).number_of_edges()", "import networkx"),
    Library("tenacity", "tenacity.stop_after_attempt(3).max_attempt_number", "import tenacity"),
    Library("joblib", "joblib.hash(1)", "import joblib"),
    Library(
        "h5py",
        "written()",
        after=(
            "import h5py\nfile = None\ndef written():\n    global file\n"
            "    file = h5py.File('a.h5', 'w', libver='latest')\n"
            "    file['a'] = [1, 2]\n    return list(map(int, file['a']))"
        ),
    ),
    Library(
        "aws-lambda-powertools",
        "logger.service",
        after="from aws_lambda_powertools import Logger\nlogger = Logger(service='x')",
    ),
    Library("smart-open", "smart_open.parse_uri('s3://a/b').bucket_id", after="import smart_open"),
    Library("arrow", "arrow.get(0).isoformat()", "import arrow"),
    Library("jsonschema", "jsonschema.validate(1, {'type': 'integer'})", "import jsonschema"),
    Library(
        "protobuf",
        "timestamp_pb2.Timestamp(seconds=1).SerializeToString().hex()",
        after="from google.protobuf import timestamp_pb2",
    ),
    Library("sympy", "str(sympy.Symbol('x') + 1)", after="import sympy"),
    Library(
        "aws-xray-sdk",
        "xray_recorder.sampling",
        after="from aws_xray_sdk.core import patch, xray_recorder\npatch(['botocore'])",
    ),
)
SMALL: Final = ("gevent", "truststore", "requests", "pydantic")
"""Those of the suite: two whose jobs must stay fresh, and two that are forked."""
