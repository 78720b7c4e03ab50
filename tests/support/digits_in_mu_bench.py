"""The digits in the files that MU-Bench looks for, and runs of it on them; run as a program.

python digits_in_mu_bench.py files      the offline files of its own script
python digits_in_mu_bench.py class-wise LABEL OUTPUT    class 3, by its Python interface
python digits_in_mu_bench.py example    the same, as harnesses/README.md has it
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch
from harness_cases import same_weights, unlearned_by_us
from harness_figures import README
from PIL import Image

from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest, ImageSet

TRAIN_ROWS = 50_000  # MU-Bench's forget indices go up to 49,999
ACCURACY = """import datasets
import evaluate
class Accuracy(evaluate.Metric):
    def _info(self):
        features = {"predictions": datasets.Value("int32"), "references": datasets.Value("int32")}
        return evaluate.MetricInfo(
            description="", citation="", features=datasets.Features(features)
        )
    def _compute(self, predictions, references):
        hits = [p == r for p, r in zip(predictions, references)]
        return {"accuracy": sum(hits) / len(hits)}
"""
PROCESSOR = {
    "image_processor_type": "ConvNextImageProcessor",
    "size": {"height": 8, "width": 8},
    "image_mean": [0.3, 0.3, 0.3],
    "image_std": [0.35, 0.35, 0.35],
}


def images(part):
    pixels, labels = part.pixels(torch.arange(len(part)), torch.device("cpu"))
    return [Image.fromarray(p[0].numpy()).convert("RGB") for p in pixels], labels.tolist()


def data_set(part, rows=None, column="img"):
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    pictures, labels = images(part)
    order = [i % len(pictures) for i in range(rows or len(pictures))]
    features = Features({column: ImageFeature(), "label": ClassLabel(num_classes=10)})
    rows = {column: [pictures[i] for i in order], "label": [labels[i] for i in order]}
    return Dataset.from_dict(rows, features=features)


def resnet():
    """A small ResNet of transformers that knows the training part."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32],
        depths=[1, 1],
        layer_type="basic",
        num_labels=10,
        downsample_in_first_stage=False,
    )
    model = ResNetForImageClassification(config)
    pixels, labels = tensors(digits_parts().train)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(40):
        optimizer.zero_grad()
        model(pixels, labels=labels).loss.backward()
        optimizer.step()
    return model.eval()


def tensors(part):
    pixels, labels = part.pixels(torch.arange(len(part)), torch.device("cpu"))
    pixels = (pixels.float() / 255 - PROCESSOR["image_mean"][0]) / PROCESSOR["image_std"][0]
    return pixels.repeat(1, 3, 1, 1), labels


def write_files():
    """`evaluate`, `datasets` and `transformers` look in the working directory before the Hub."""
    for folder in ("accuracy", "cifar10", "microsoft/resnet-50"):
        Path(folder).mkdir(parents=True)
    Path("accuracy/accuracy.py").write_text(ACCURACY)
    Path("microsoft/resnet-50/preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    data_set(digits_parts().train, TRAIN_ROWS).to_parquet("cifar10/train-0.parquet")
    data_set(digits_parts().test).to_parquet("cifar10/test-0.parquet")
    resnet().save_pretrained("checkpoint/resnet-50")


# Enough updates for so small a set; see the digits benchmark's settings.
SETTINGS = {"su": {"epochs": 50}, "neg_grad": {"epochs": 30}}


def class_wise(labels):
    """Forget class 3 through `UnlearningTrainer`'s own interface, and write its reports."""
    original, raw = resnet(), raw_datasets()
    for label in labels:
        before, after, model = unlearned(label, copy.deepcopy(original), raw)
        ours = by_our_runner(label, original, raw).state_dict()
        same = same_weights(model.state_dict(), ours)
        report = {"before": before, "after": after, "same_weights": same}
        Path(label, "report.json").write_text(json.dumps(report, default=float))


def raw_datasets():
    from datasets import DatasetDict

    train = digits_parts().train
    forgotten = train.labels == 3
    parts = {
        "train": train,
        "df": train.subset(torch.where(forgotten)[0]),
        "dr": train.subset(torch.where(~forgotten)[0]),
        "test": digits_parts().test,
    }

    def rows(batch):
        pixels = np.stack([np.asarray(each) for each in batch["image"]]).transpose(0, 3, 1, 2)
        scaled = torch.from_numpy(pixels).float() / 255 - PROCESSOR["image_mean"][0]
        batch["pixel_values"] = list(scaled / PROCESSOR["image_std"][0])
        return batch

    raw = DatasetDict({name: data_set(part, column="image") for name, part in parts.items()})
    raw.set_transform(rows)
    return raw


def unlearned(label, model, raw):
    from mubench.args import UnlearningArguments
    from transformers import TrainingArguments

    from benchmark_adapters.harnesses.mu_bench import trainer_class

    arguments = TrainingArguments(
        label,
        use_cpu=True,
        report_to="none",
        remove_unused_columns=False,
        metric_for_best_model="unlearn_overall_accuracy",
        seed=7,
        per_device_eval_batch_size=256,
    )
    config = UnlearningArguments(unlearn_method=label, backbone="resnet-50", data_name="cifar10")
    cls = trainer_class(label, forget_classes=(3,), settings=SETTINGS.get(label))
    Path(label).mkdir()
    trainer = cls(raw_datasets=raw, args=arguments, unlearn_config=config, model=model)
    before = dict(trainer.evaluate_unlearn())
    trainer.unlearn()
    return before, dict(trainer.evaluate_unlearn()), trainer.model


def by_our_runner(label, original, raw):
    def of_tensors(name):
        rows = raw[name][:]
        return ImageSet.of_tensors(torch.stack(rows["pixel_values"]), torch.tensor(rows["label"]))

    request = ForgetRequest(forget=of_tensors("df"), retain=of_tensors("dr"), forget_classes=(3,))
    return unlearned_by_us(label, original, request, seed=7, settings=SETTINGS.get(label))


def example():
    """Run the README's code with its two names given, and write its scores."""
    section = README.read_text(encoding="utf-8").split("## MU-Bench")[1]
    code = section.split("```python\n")[1].split("```")[0]
    names = {"model": resnet(), "raw_datasets": raw_datasets()}
    exec(code, names)
    Path("example.json").write_text(json.dumps(dict(names["scores"]), default=float))


if __name__ == "__main__":
    if sys.argv[1] == "files":
        write_files()
    elif sys.argv[1] == "example":
        example()
    else:
        class_wise(sys.argv[2:])
