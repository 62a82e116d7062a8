"""Live as deployed: jobs in Python on Batch.

Its containers are those of Fargate, whose file has the whole suite: here is what Batch decides.
"""

from __future__ import annotations

import pytest

from tests.e2e.dev_and_deployed import (  # noqa: F401 - pytest finds them by their names
    app,
    each_of,
    stages,
    test_a_bad_end_is_told_as_what_it_was,
    test_a_failed_run_is_tried_again_as_often_as_its_retries_say,
    test_a_handler_is_told_of_its_run,
    test_a_job_without_live_development_runs_in_the_cloud_on_every_stage,
    test_a_large_payload_and_a_large_result_arrive_whole,
    test_a_payload_arrives_as_it_was_sent_and_its_result_comes_back,
    test_a_run_that_takes_too_long_is_stopped,
    test_a_running_job_can_be_cancelled_and_its_process_is_gone,
    test_an_option_has_its_effect,
    test_payload_result_and_message_are_told_and_a_builds_record_has_them_only_if_it_may,
    test_runs_over_the_jobs_concurrency_wait_for_their_turn,
    test_runs_with_one_idempotency_key_are_one_run,
    test_tags_and_log_retention_are_those_of_the_app,
    test_the_cli_cancels_a_run,
    test_the_log_has_what_the_run_has_printed,
    there_are,
)
from tests.e2e.test_dev_and_deployed import language  # noqa: F401

pytestmark = [pytest.mark.timeout(240), pytest.mark.matrix]
places = there_are("batch")
stage = each_of("batch")
