"""Let SES send mail as an address: `python verify.py ADDRESS [ENDPOINT]`.

ENDPOINT is the embedded cloud's: it believes you. Without, it is your AWS account: SES writes to
the address, and waits until somebody follows the link in that mail.
"""

import sys

import boto3

address, *endpoint = sys.argv[1:]
if endpoint:
    session = boto3.Session("test", "test", region_name="us-east-1")
    ses = session.client("ses", endpoint_url=endpoint[0])
else:
    ses = boto3.client("ses")
ses.verify_email_identity(EmailAddress=address)
print(f"{address}: asked SES to verify it")
