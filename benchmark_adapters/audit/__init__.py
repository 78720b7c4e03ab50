"""Has a model forgotten, or does it hide? Tests against the spread of several Retrains."""
