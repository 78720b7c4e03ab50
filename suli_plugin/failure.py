"""What fails though the request was in order: the data, the disk, the Hub, a submission."""


class Failure(ValueError):
    """Not the user's mistake in what was asked; a command ends with exit code 1, not 2."""
