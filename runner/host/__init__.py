"""A whole run of a job, wherever it is deployed: `run` is the same everywhere, `base` is the door
to what is not, and its places are CodeBuild, a container, a Lambda function."""
