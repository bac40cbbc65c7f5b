"""What a model says and what that means: measuring, records, scores, criteria."""
