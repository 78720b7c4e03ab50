"""Records, boards, submission and pages."""
