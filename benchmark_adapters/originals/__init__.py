"""Pretrained originals of any layout, and checkpoint folders of ours."""

# Every published model card has this line.
from benchmark_adapters.originals.load import load_original as load_original
