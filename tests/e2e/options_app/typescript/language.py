"""What the app is written in: TypeScript."""

from devbridge import Job

RUNTIME = "nodejs24.x"
INSTALL = ["sharp"]


def more(app):
    """Jobs with the options that are esbuild's."""
    Job(
        app,
        "built",
        handler="jobs/built.handler",
        runtime=RUNTIME,
        esbuild={
            "banner": "globalThis.bannered = 'on top';",
            "define": {"FLAVOUR": '"sweet"', "process.env.MODE": '"made"'},
            "external": ["not-installed"],
            "loader": {".txt": "text", ".sql": "text"},
        },
    )
    Job(
        app,
        "split",
        handler="jobs/split.handler",
        runtime=RUNTIME,
        esbuild={"splitting": True, "minify": True},
    )
    Job(
        app,
        "common",
        handler="jobs/common.handler",
        runtime=RUNTIME,
        esbuild={"format": "cjs"},
    )
    Job(app, "ends", handler="packages/words/src/ends.handler", runtime=RUNTIME)
    Job(
        app,
        "counted",
        handler="jobs/counted.handler",
        runtime=RUNTIME,
        retries=2,
        retry_delay="0 seconds",
    )
