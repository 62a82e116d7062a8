"""Print the mails that the embedded cloud keeps: `devbridge cloud exec -- python mails.py`."""

import os

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

url = f"{os.environ['AWS_ENDPOINT_URL']}/_ministack/ses/messages"
request = AWSRequest("GET", url)
SigV4Auth(boto3.Session().get_credentials(), "ses", "us-east-1").add_auth(request)
print(URLLib3Session().send(request.prepare()).text)
