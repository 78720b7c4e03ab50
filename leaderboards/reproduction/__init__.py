"""Each figure of the tables that are committed: its command, run again, beside the paper's."""
