"""A deletion request, from what a user says to a checkpoint with its card and receipt."""
