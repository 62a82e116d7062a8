"""What runs a deployed job: CodeBuild, AWS Batch, Fargate, Lambda, each behind the same door.

`base` is the door; `known` opens it by the name of a job's compute. The standard library only: it
is part of the invokers' zips, and botocore's clients are passed in.
"""
