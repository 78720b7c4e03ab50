"""What is raised when a method's numbers run away, apart from a user's mistake."""


class Diverged(ValueError):
    """A loss or a logit is no longer finite: the settings broke the model, not the request."""
