"""Which samples are forgotten, kept and held out: made, stored, pushed, loaded and checked."""
