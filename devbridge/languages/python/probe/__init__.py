"""What the app's own interpreter is asked: what its code imports, and which files that takes.

Standard library only: `__main__` runs it in any Python from 3.11 on; this Python asks it only of
devbridge's own code.
"""
