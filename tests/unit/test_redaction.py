from __future__ import annotations

import pytest

from devbridge import redaction

VALUE = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"


@pytest.mark.parametrize("form", [VALUE, "wJalrXUtnFEMI%2FK7MDENG%2BbPxRfiCY"])
def test_a_value_that_is_secret_is_not_shown_quoted_or_not(form: str) -> None:
    redaction.secret(VALUE)
    assert redaction.redacted(f"a {form} b") == f"a {redaction.HIDDEN} b"


@pytest.mark.parametrize("value", [None, "", "test"])
def test_what_is_too_short_to_be_secret_is_shown(value: str | None) -> None:
    redaction.secret(value)
    assert redaction.redacted("a test") == "a test"


@pytest.mark.parametrize(
    "text",
    [
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Signature=5up3r53cr3t&x=1",
        "wss://h/mqtt?X-Amz-Security-Token=5up3r53cr3t%2F",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/2026, Signature=5up3r53cr3t5up3r53cr3t",
        "{'X-Amz-Security-Token': b'5up3r53cr3t'}",
        "<SecretAccessKey>5up3r53cr3t</SecretAccessKey>",
        '{"SecretAccessKey": "5up3r53cr3t", "Expiration": "2026"}',
        "{'SessionToken': '5up3r53cr3t'}",
        "AWS_SECRET_ACCESS_KEY=5up3r53cr3t",
        f"http://127.0.0.1:1/{redaction.WORKER}5up3r53cr3t5up3r53cr3t/2018-06-01",
    ],
)
def test_credentials_are_known_by_their_form(text: str) -> None:
    assert "5up3r53cr3t" not in redaction.redacted(text)
    assert redaction.HIDDEN in redaction.redacted(text)


def test_the_newest_values_are_remembered() -> None:
    for number in range(redaction.MOST * 2):
        redaction.secret(f"secret-number-{number:06}")
    assert redaction.redacted(f"secret-number-{redaction.MOST * 2 - 1:06}") == redaction.HIDDEN
    assert len(redaction._values) <= redaction.MOST
