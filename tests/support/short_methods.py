"""Methods in a few steps: how many they take by default is no part of what tests ask of all."""

from dataclasses import replace

from suli_plugin.plugins import registry

CAPS = {"epochs": 3, "iterations": 5, "sweeps": 2, "perturbations": 20}


def short(unlearner, **caps):
    """The same method with its counts of steps capped."""
    values = unlearner.hyperparameters()
    caps = {**CAPS, **caps}
    return replace(unlearner, **{k: min(values[k], cap) for k, cap in caps.items() if k in values})


def our_methods():
    """The classes of SULI, SU and all baselines, controls and references included."""
    found = registry()
    return [
        cls
        for name, cls in found.unlearners.items()
        if found.origins[name].plugin in ("suli", "baselines")
    ]
