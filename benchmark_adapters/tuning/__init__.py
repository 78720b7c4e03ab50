"""Hyper-parameters chosen on validation data alone, the same number of trials for every method."""
