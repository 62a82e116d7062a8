"""What a stage's queues hold and are sent: the messages of runs that have failed for good, which
are looked at, sent back or deleted, and samples of what triggers a job.

`places`, `letters`, `patterns`, `chosen` and `samples` decide, and are pure; `mover` and `sending`
ask AWS.
"""
