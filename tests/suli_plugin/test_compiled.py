"""Forward passes through torch.compile: what is compiled, what is not, and what says so."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from compiling import breaks, compiling, traced
from small_problem import request, trained_convnet
from torch import nn

from suli_plugin import SU, SULI, evaluate, run
from suli_plugin.compiled import ForwardPasses, check_compiler, compiled_by
from suli_plugin.features import penultimate_features

ASKED = request("class-wise")
METHOD = SULI(stop="never", n_layers=2, batch_size=18, inner_steps=2, sweeps=2)


def same_weights(one, other):
    other = other.state_dict()
    return all(torch.equal(value, other[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("batch_norm", ["update", "keep", "frozen"])
def test_a_compiled_run_computes_the_same_in_whole_graphs_and_keeps_names(batch_norm):
    method = replace(METHOD, batch_norm=batch_norm)
    plain = run(method, trained_convnet(), ASKED, accelerator=Accelerator(cpu=True))
    compiled = run(method, trained_convnet(), ASKED, accelerator=compiling("eager"))
    assert traced() >= 2 and breaks() == {}
    assert list(compiled.model.state_dict()) == list(plain.model.state_dict())
    assert same_weights(compiled.model, plain.model) and compiled.history == plain.history
    assert compiled.compiled == "eager" and compiled.as_dict()["compiled"] == "eager"
    assert plain.compiled is None and "compiled" not in plain.as_dict()


def test_a_batch_of_one_and_whoever_watches_see_the_model_as_it_is():
    passes, model = ForwardPasses(compiling("eager")), trained_convnet()
    batch = torch.randn(3, 1, 8, 8)
    passes(model, batch[:1])
    with penultimate_features(model) as features:
        passes(model, batch)
        assert features().shape == (3, 64)
    assert traced() == 0
    assert torch.equal(passes(model, batch), model(batch)) and traced() == 1


def test_an_odd_last_sample_uses_running_statistics_as_without_a_compiler():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.Linear(12, 10))
    asked = replace(ASKED, forget=ASKED.forget.subset(torch.arange(5)))
    method = SU(stop="never", epochs=2, batch_size=2)
    plain = run(method, model, asked, accelerator=Accelerator(cpu=True))
    compiled = run(method, model, asked, accelerator=compiling("eager"))
    assert traced() > 0 and same_weights(compiled.model, plain.model)


def test_scores_are_those_of_the_model_as_it_is():
    accelerator = compiling("eager")
    evaluate(trained_convnet(), ASKED.forget, accelerator)
    assert traced() == 0 and compiled_by(accelerator) == "eager"
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_compiler_that_lacks_something_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"^torch.compile can't be used here: .*tensorrt") as why:
        check_compiler(compiling("tensorrt"))
    assert "\n" not in str(why.value)
