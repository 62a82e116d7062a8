"""A link to download a zip with, for whoever has it."""

import boto3
from botocore.config import Config as Settings

from devbridge.resources import Bucket

LINK_SECONDS = 3600
"""It also ends with the credentials of the role that has signed it, which may be earlier."""


def download_link(key: str) -> str:
    s3 = boto3.client("s3", config=Settings(signature_version="s3v4"))
    place = {"Bucket": Bucket.zips.bucket_name, "Key": key}
    return s3.generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS)
