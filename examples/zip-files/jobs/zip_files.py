"""The job: pack the ordered objects into a zip, upload it, and mail a link to it."""

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import boto3
import orders
from links import download_link

from devbridge.job import job_handler
from devbridge.resources import Bucket, Config, FileSystem

CHUNK = 1024 * 1024


@dataclass
class ZipFiles:
    order_id: str


@dataclass
class Zipped:
    key: str
    files: int
    missing: list[str]


@job_handler("zip-files")
def handler(payload: ZipFiles) -> Zipped:
    order = orders.read(payload.order_id)
    if order is None:
        raise LookupError(f"there is no order {payload.order_id}")
    packed = f"{payload.order_id}.zip"
    missing = pack(order["keys"], packed)
    orders.finish(payload.order_id, packed, missing)
    send(order["email"], download_link(packed))
    return Zipped(packed, len(order["keys"]) - len(missing), missing)


def pack(keys: Sequence[str], to: str) -> list[str]:
    """Zip objects of one bucket into one of the other; returns the keys that are not there.

    An object goes through memory in pieces, so that neither its size nor that of the zip matters.
    """
    s3, missing = boto3.client("s3"), []
    # It has no name in the folder, so it is gone with the process, however that ends.
    with tempfile.TemporaryFile(dir=FileSystem.scratch.path) as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, key in enumerate(keys, 1):
                try:
                    body = s3.get_object(Bucket=Bucket.files.bucket_name, Key=key)["Body"]
                except s3.exceptions.NoSuchKey:
                    missing.append(key)
                    print(f"{number}/{len(keys)} {key} is not there")
                    continue
                with archive.open(key, "w", force_zip64=True) as entry:
                    for chunk in body.iter_chunks(CHUNK):
                        entry.write(chunk)
                print(f"{number}/{len(keys)} {key}")
        packed.seek(0)
        s3.upload_fileobj(packed, Bucket.zips.bucket_name, to)
    return missing


def send(email: str, link: str) -> None:
    boto3.client("ses").send_email(
        Source=Config.sender.value,
        Destination={"ToAddresses": [email]},
        Message={
            "Subject": {"Data": "Your files are packed"},
            "Body": {"Text": {"Data": f"Download them within the hour:\n\n{link}\n"}},
        },
    )
    print(f"mailed the link to {email}")
