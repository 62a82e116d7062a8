"""Authorizers that answer what the request asks for."""


def simple(event, context):
    who = event["headers"]["x-who"]
    if who == "nobody":
        raise ValueError(who)
    answers = {
        "jane": {"isAuthorized": True, "context": {"name": "jane", "age": 7}},
        "joe": {"isAuthorized": False},
        "text": {"isAuthorized": "true"},
        "nothing": None,
    }
    return answers[who]


def policy(event, context):
    who = event["headers"]["x-who"]
    effect = {"jane": "Allow", "joe": "Deny"}.get(who)
    if not effect:
        return {"principalId": who}
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["routeArn"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": who, "policyDocument": document, "context": {"name": who}}
