"""What fails though the request was in order, and what is named but not there."""


class DoesNotApply(ValueError):
    """A method can't be tried on this data at all; a grid says so, and it is no failure of it."""


class Failure(ValueError):
    """Not the user's mistake in what was asked; a command ends with exit code 1, not 2."""


class Gone(ValueError):
    """Samples that are named are not in the data, perhaps not any more."""
