"""What runs inside the embedded cloud's own process: `child` starts ministack, `plug` changes it.

`gate` decides who gets in, `codebuild` runs builds, `corrections` are what ministack does otherwise
than AWS. There is no devbridge here: standard library, ministack, botocore and PyYAML only.
"""
