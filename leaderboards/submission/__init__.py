"""From a run folder to a submission in a store."""
