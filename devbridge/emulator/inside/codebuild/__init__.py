"""CodeBuild: builds run as processes of this machine.

ministack knows projects, but its builds succeed at once and run nothing.
"""
