"""What ministack does otherwise than AWS, corrected; one module for each subject."""
