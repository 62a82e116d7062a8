"""Upload the sample orders to the stage's bucket: `devbridge bind -- python load.py`."""

import boto3

from devbridge.resources import Bucket

boto3.client("s3").upload_file("data/orders.csv", Bucket.orders.bucket_name, "orders.csv")
print(f"uploaded orders.csv to {Bucket.orders.bucket_name}")
