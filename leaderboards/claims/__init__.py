"""What submitters claim and what verifiers found: submissions and verdicts, strictly read."""
