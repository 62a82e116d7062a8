"""What stands for a machine here: processes with a role, an interpreter, a log, and an end.

Shared by the services that run the user's code for long: CodeBuild, ECS and Batch.
"""
