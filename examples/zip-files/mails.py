"""Print the mails that the embedded cloud keeps: `devbridge cloud exec -- python mails.py`."""

import os

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

url = f"{os.environ['AWS_ENDPOINT_URL']}/_ministack/ses/messages"
request = AWSRequest("GET", url)
key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
SigV4Auth(key, "ses", "us-east-1").add_auth(request)
print(URLLib3Session().send(request.prepare()).text)
