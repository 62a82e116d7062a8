from __future__ import annotations

import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from runner.sigv4 import ALGORITHM, Signer

NOW = 1_800_000_000.0
WORDS = st.text("abcdefghij-0123456789", min_size=1, max_size=20)


@given(
    secret=st.text(min_size=1, max_size=40),
    region=WORDS,
    service=WORDS,
    canonical=st.text(st.characters(codec="utf-8"), max_size=200),
)
def test_a_signature_is_what_botocore_makes(
    secret: str, region: str, service: str, canonical: str
) -> None:
    signer, theirs = Signer.at(NOW, region, service), botocores(secret, region, service)
    request = AWSRequest("GET", "https://x/")
    request.context["timestamp"] = signer.moment
    to_sign = theirs.string_to_sign(request, canonical)
    assert to_sign.startswith(f"{ALGORITHM}\n{signer.moment}\n{signer.scope}\n")
    assert signer.sign(secret, canonical) == theirs.signature(to_sign, request)
    assert f"AKIA/{signer.scope}" == theirs.scope(request)


def botocores(secret: str, region: str, service: str) -> SigV4Auth:
    return SigV4Auth(Credentials("AKIA", secret), service, region)


def test_the_signature_of_awss_own_example() -> None:
    """From the documentation of Signature Version 4: ListUsers of IAM, on 30 August 2015."""
    canonical = (
        "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
        "content-type:application/x-www-form-urlencoded; charset=utf-8\n"
        "host:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
        "content-type;host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    assert Signer("20150830T123600Z", "us-east-1", "iam").sign(secret, canonical) == (
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_without_a_time_it_is_now() -> None:
    made = datetime.datetime.strptime(Signer.at(None, "r", "s").moment, "%Y%m%dT%H%M%SZ")
    age = datetime.datetime.now(datetime.UTC) - made.replace(tzinfo=datetime.UTC)
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=1)
