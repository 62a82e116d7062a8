from devbridge.errors import PayloadInvalid
from devbridge.job import Job


def handler(event, context):
    try:
        return {"jobId": Job.typed.run(payload=event).job_id}
    except PayloadInvalid as error:
        return {"refused": error.where}
