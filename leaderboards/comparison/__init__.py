"""Our records beside the paper's tables, and the trials that settings were chosen by."""
