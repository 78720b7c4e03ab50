"""What is raised when a run is about to cost more than it may."""


class OverBudget(RuntimeError):
    """More samples are to be passed than the run's limit allows: no mistake, but its end."""
