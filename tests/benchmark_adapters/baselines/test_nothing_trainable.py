"""What measures gradients says in one line that the model has no weight to move."""

import pytest
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.fisher import Fisher
from benchmark_adapters.baselines.l1_sparse import L1Sparse
from benchmark_adapters.baselines.lfssd import LFSSD
from benchmark_adapters.baselines.salun import SalUn
from benchmark_adapters.baselines.ssd import SSD
from suli_plugin import run


@pytest.mark.parametrize("method", [SalUn(), SSD(), LFSSD(), L1Sparse(), Fisher()])
def test_a_model_without_a_trainable_weight_is_refused(method):
    frozen = trained_convnet().requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameter"):
        run(method, frozen, request("class-wise"))
