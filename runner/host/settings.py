"""What the environment says of a run, wherever it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.places import Places

GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Settings:
    """One run of a job."""

    app: str
    stage: str
    job: str
    handler: str
    timeout: float
    """Seconds that one attempt may take."""
    attempts: int
    retry_delay: float
    """Seconds before the second attempt; it doubles with each further one."""
    bucket: str
    inline: bool
    """Results and messages may be in what the provider shows of the run, if they are small."""
    key: str
    """The KMS key for what is put into S3; "" for the bucket's own."""
    run_id: str
    grace: float
    payload: str
    """A JSON text."""
    payload_key: str
    """Where the payload is in S3, if it is there."""
    secrets: str
    """A JSON text: the variables that parameters of SSM have the values of, and their names."""
    once: bool = False
    """It has one attempt: what comes after that, others decide."""

    @staticmethod
    def read(environment: Mapping[str, str]) -> Settings:
        """What the environment says.

        Raises:
            KeyError: it has neither a job's name nor a handler.
        """

        def number(name: str, default: float) -> float:
            return float(environment.get(name) or default)

        own_id = environment.get("DEVBRIDGE_RUN_ID") or environment.get("CODEBUILD_BUILD_ID")
        return Settings(
            app=environment.get("DEVBRIDGE_APP", ""),
            stage=environment.get("DEVBRIDGE_STAGE", ""),
            job=environment["DEVBRIDGE_JOB_NAME"],
            handler=environment["DEVBRIDGE_HANDLER"],
            timeout=number("DEVBRIDGE_TIMEOUT", 8 * 3600),
            attempts=int(number("DEVBRIDGE_ATTEMPTS", 1)),
            retry_delay=number("DEVBRIDGE_RETRY_DELAY", 1),
            bucket=environment.get("DEVBRIDGE_BUCKET", ""),
            inline=bool(environment.get("DEVBRIDGE_INLINE")),
            key=environment.get("DEVBRIDGE_KEY", ""),
            run_id=own_id or "local:0",
            grace=number("DEVBRIDGE_GRACE", GRACE),
            payload=environment.get("DEVBRIDGE_PAYLOAD", "null"),
            payload_key=environment.get("DEVBRIDGE_PAYLOAD_KEY", ""),
            secrets=environment.get("DEVBRIDGE_SECRETS", ""),
            once=bool(environment.get("DEVBRIDGE_ONCE")),
        )

    @property
    def uuid(self) -> str:
        """What names the run among those of its job."""
        return self.run_id.partition(":")[2]

    @property
    def places(self) -> Places:
        """Where S3 has the job's runs."""
        return Places(f"{self.app}/{self.stage}/{self.job}")
