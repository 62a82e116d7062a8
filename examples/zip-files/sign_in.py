"""What a web page would do for its user, who types the password: here it is in PASSWORD.

devbridge bind -- python sign_in.py up ADDRESS             makes the user; a code is mailed
devbridge bind -- python sign_in.py confirm ADDRESS CODE
devbridge bind -- python sign_in.py in ADDRESS             prints the token for the API
"""

import os
import sys

import boto3

from devbridge.resources import UserPool

what, address, *code = sys.argv[1:]
cognito, client = boto3.client("cognito-idp"), UserPool.users.client_id
if what == "up":
    cognito.sign_up(ClientId=client, Username=address, Password=os.environ["PASSWORD"])
elif what == "confirm":
    cognito.confirm_sign_up(ClientId=client, Username=address, ConfirmationCode=code[0])
else:
    answer = cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": address, "PASSWORD": os.environ["PASSWORD"]},
    )
    print(answer["AuthenticationResult"]["AccessToken"])
