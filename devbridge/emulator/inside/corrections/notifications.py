"""What topics and buckets hand to functions: if the functions' policies let them.

ministack asks no function's policy, and tells a topic's function once, whatever becomes of it.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ..host import ministack
from . import asynchronous, grants

log = logging.getLogger("notifications")


def deliver_as_sns() -> None:
    """Correct `services.sns`: a function is invoked asynchronously, as on AWS."""

    def deliver(
        endpoint: str, envelope: str, topic_arn: str, subscription_arn: str, *_rest: Any
    ) -> None:
        if not grants.function_admits(endpoint, "sns.amazonaws.com", topic_arn):
            log.warning("%s is not told: its policy does not let %s in", endpoint, topic_arn)
            return
        lambdas = ministack("services.lambda_svc")
        function, config, _ = lambdas._get_func_record_for_ref(endpoint)
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "EventSource": "aws:sns",
            "Sns": json.loads(envelope),
        }
        found = lambdas._execution_record_for_config(function, config)
        asynchronous.begin(found, {"Records": [record]})

    ministack("services.sns")._deliver_to_lambda = deliver


def check_as_s3() -> None:
    """Correct `services.s3`: a notification's function must let the bucket in."""
    s3 = ministack("services.s3")
    validate = s3._validate_notification_configs

    def validated(configs: Any, region: str, bucket: str = "", skip: bool = False) -> Any:
        if problem := validate(configs, region, bucket, skip):
            return problem
        closed = [
            each["arn"]
            for each in configs
            if each["type"] == "lambda"
            and not skip
            and not grants.function_admits(
                each["arn"], "s3.amazonaws.com", f"arn:aws:s3:::{bucket}"
            )
        ]
        if not closed:
            return None
        return s3._invalid_notification_config(
            "Unable to validate the following destination configurations: " + ", ".join(closed)
        )

    s3._validate_notification_configs = validated
