"""What a run asks of AWS: credentials, metadata, parameters and functions are made up here, S3 is
moto's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from queue import Queue
from typing import Any

from runner.places import Places

PROJECT = "demo_prod_factorial"
UUID = "0b1c2d3e-0000-4000-8000-000000000001"
RUN = f"{PROJECT}:{UUID}"
BUCKET = "devbridge-assets-111122223333-eu-west-1"
PLACE = "demo/prod/factorial"
PLACES = Places(PLACE)
TOKEN = "the container's token"
GROUP, STREAM = "/devbridge/demo_prod_factorial", "job/default/0123"
TASK = "arn:aws:ecs:eu-west-1:111122223333:task/cluster/0123"


@dataclass
class Aws:
    """What answers. `invoked` gets the names and events of the functions that are called."""

    url: str
    s3: Any
    s3_url: str
    parameters: dict[str, str] = field(default_factory=dict)
    refuses_invoke: bool = False
    invoked: Queue[tuple[str, Any]] = field(default_factory=Queue)

    def environment(self) -> dict[str, str]:
        return {
            "AWS_REGION": "eu-west-1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.s3_url,
        }

    def stored(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [item["Key"] for item in found]

    def put(self, key: str, body: bytes) -> str:
        """Store an object; its version."""
        found: str = self.s3.put_object(Bucket=BUCKET, Key=key, Body=body).get("VersionId", "")
        return found

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def told(self) -> dict[str, Any]:
        """What the run has told; nothing if it has not."""
        key = PLACES.told(UUID)
        return json.loads(self.get(key)) if key in self.stored() else {}

    def checkpoint(self) -> Any:
        """What was kept of it; None if nothing was."""
        key = PLACES.checkpoint(UUID)
        return json.loads(self.get(key)) if key in self.stored() else None

    def clear(self) -> None:
        for key in self.stored():
            self.s3.delete_object(Bucket=BUCKET, Key=key)


def answering(aws: Aws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metadata":
                options = {"awslogs-group": GROUP, "awslogs-stream": STREAM}
                labels = {"com.amazonaws.ecs.task-arn": TASK}
                self.answer(200, {"LogOptions": options, "Labels": labels})
                return
            assert self.path == "/credentials"
            if self.headers["Authorization"] != TOKEN:
                self.answer(403, {})
                return
            self.answer(200, {"AccessKeyId": "AKIAROLE", "SecretAccessKey": "s", "Token": "t"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert "Credential=AKIAROLE/" in self.headers["Authorization"]
            if self.path.startswith("/2015-03-31/functions/"):
                assert self.headers["X-Amz-Invocation-Type"] == "Event"
                if aws.refuses_invoke:
                    self.answer(403, {"Message": "not you"})
                    return
                aws.invoked.put((self.path.split("/")[3], asked))
                self.answer(202, {})
                return
            assert self.headers["X-Amz-Target"] == "AmazonSSM.GetParameter"
            assert asked["WithDecryption"] is True
            if asked["Name"] in aws.parameters:
                self.answer(200, {"Parameter": {"Value": aws.parameters[asked["Name"]]}})
            else:
                self.answer(400, {"__type": "ParameterNotFound"})

        def answer(self, status: int, document: Mapping[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler
