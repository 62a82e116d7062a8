"""What workers have of the roles that they take on: nothing of the bridge.

A live function's stub has the function's own role, so that role reaches the bridge: other
functions' calls, and all answers. Workers run the app's code, which needs none of that. A session
policy takes it away: a session may do what both the role and that policy allow
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session).
"""

from __future__ import annotations

import json

from devbridge import names
from devbridge.protocol.messages import Topics


def without_bridge(topics: Topics, account: str, region: str, role_arn: str) -> str:
    """The session policy of a stage's worker: it has all that the role has, but for the bridge."""
    partition = role_arn.split(":")[1]
    bucket = names.asset_bucket(account, region)
    calls = f"arn:{partition}:s3:::{bucket}/{topics.call_keys}*"
    copies = names.function_copies(topics.app, topics.stage)
    mqtt = (
        f"client/{topics.stub_client_id('*')}",
        f"topic/{topics.prefix}/*",
        f"topicfilter/{topics.prefix}/*",
    )
    here = f"{region}:{account}"
    denied = {
        "iot:*": [f"arn:{partition}:iot:{here}:{each}" for each in mqtt],
        "s3:*": [calls],
        "lambda:*": [f"arn:{partition}:lambda:{here}:function:{copies}"],
    }
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        *({"Effect": "Deny", "Action": it, "Resource": on} for it, on in denied.items()),
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":"))
