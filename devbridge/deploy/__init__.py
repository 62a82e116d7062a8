"""synth -> package -> plan -> execute: an app becomes a CloudFormation stack. The only place that creates AWS resources."""
