"""ECS: tasks run as processes of this machine, each with its role, its log and its end.

ministack knows clusters and definitions, but without Docker its tasks run nothing, for ever.
"""
