"""The methods that SULI and SU are compared with, one file each.

A new method is its file and one line below.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from suli_plugin.hookspecs import hookimpl

UNLEARNERS = (
    "benchmark_adapters.baselines.original:Original",
    "benchmark_adapters.baselines.retrain:Retrain",
    "benchmark_adapters.baselines.retrain_held_out:RetrainHeldOut",
    "benchmark_adapters.baselines.finetune:FineTune",
    "benchmark_adapters.baselines.l1_sparse:L1Sparse",
    "benchmark_adapters.baselines.cf_k:CFk",
    "benchmark_adapters.baselines.eu_k:EUk",
    "benchmark_adapters.baselines.neg_grad:NegGrad",
    "benchmark_adapters.baselines.random_label:RandomLabel",
    "benchmark_adapters.baselines.initial_label:InitialLabel",
    "benchmark_adapters.baselines.boundary_shrink:BoundaryShrink",
    "benchmark_adapters.baselines.boundary_expand:BoundaryExpand",
    "benchmark_adapters.baselines.adv:Adv",
    "benchmark_adapters.baselines.adv_imp:AdvImp",
    "benchmark_adapters.baselines.neg_grad_plus:NegGradPlus",
    "benchmark_adapters.baselines.ugradsl:UGradSL",
    "benchmark_adapters.baselines.ugradsl_plus:UGradSLPlus",
    "benchmark_adapters.baselines.scrub:Scrub",
    "benchmark_adapters.baselines.bad_teacher:BadTeacher",
    "benchmark_adapters.baselines.contrastive_label:ContrastiveLabel",
    "benchmark_adapters.baselines.salun:SalUn",
    "benchmark_adapters.baselines.ssd:SSD",
    "benchmark_adapters.baselines.lfssd:LFSSD",
    "benchmark_adapters.baselines.fisher:Fisher",
    "benchmark_adapters.baselines.delete:Delete",
    "benchmark_adapters.baselines.unsir:Unsir",
    "benchmark_adapters.baselines.emmn:Emmn",
    "benchmark_adapters.baselines.gkt:Gkt",
    "benchmark_adapters.baselines.jit:JiT",
    "benchmark_adapters.baselines.linear_filtration:LinearFiltration",
    "benchmark_adapters.baselines.lirf:Lirf",
    "benchmark_adapters.baselines.amnesiac:Amnesiac",
    "benchmark_adapters.baselines.l_codec:LCodec",
    "benchmark_adapters.baselines.mu_mis:MUMis",
    "benchmark_adapters.baselines.regun:ReGUn",
    "benchmark_adapters.baselines.sisa:Sisa",
    "benchmark_adapters.baselines.aru:ARU",
    "benchmark_adapters.baselines.counterfactual:Counterfactual",
    "benchmark_adapters.baselines.as_unseen:AsUnseen",
    "benchmark_adapters.baselines.bn_drift:BatchNormDrift",
    "benchmark_adapters.baselines.logit_mask:LogitMask",
    "benchmark_adapters.baselines.bias_mask:BiasMask",
    "benchmark_adapters.baselines.drift_mask:DriftMask",
    "benchmark_adapters.baselines.noise_mask:NoiseMask",
    "benchmark_adapters.baselines.head_projection:HeadProjection",
    "benchmark_adapters.baselines.head_distill:HeadDistill",
    "benchmark_adapters.baselines.trew:Trew",
    "benchmark_adapters.baselines.pour:Pour",
    "benchmark_adapters.baselines.spotter:Spotter",
    "benchmark_adapters.baselines.semu:Semu",
    "benchmark_adapters.baselines.unsc:Unsc",
)


@hookimpl
def register_unlearners(register: Callable[[type[Any]], None]) -> None:
    """All of the above."""
    for path in UNLEARNERS:
        register(resolve_name(path))
