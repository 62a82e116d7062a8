"""Let SES send mail as an address: `python verify.py ADDRESS`.

On AWS, SES writes to the address, and waits until somebody follows the link in that mail. The
embedded cloud believes you: there it is `devbridge cloud exec -- python verify.py ADDRESS`.
"""

import sys

import boto3

(address,) = sys.argv[1:]
boto3.client("ses").verify_email_identity(EmailAddress=address)
print(f"{address}: asked SES to verify it")
