"""Event source mappings as AWS Lambda has them: queues and streams that start functions."""
