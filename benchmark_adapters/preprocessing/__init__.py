"""How images of any size become what a network takes, and who says so."""
