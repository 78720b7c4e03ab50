"""Where submissions, evidence and verdicts are kept: a folder, or a repository on the Hub."""
