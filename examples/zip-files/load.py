"""Upload the sample files to the stage's bucket: `devbridge bind -- python load.py`."""

from pathlib import Path

import boto3

from devbridge.resources import Bucket

s3 = boto3.client("s3")
for file in sorted(Path("data").iterdir()):
    s3.upload_file(str(file), Bucket.files.bucket_name, file.name)
    print(f"uploaded {file.name} to {Bucket.files.bucket_name}")
