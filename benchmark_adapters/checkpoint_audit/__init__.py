"""`suli audit`: anybody's unlearned checkpoint against Retrains, with cheats beside it."""
