"""Baselines, benchmarks, metrics and harnesses around `suli_plugin`."""

from suli_plugin.moved_modules import keep_old_names

keep_old_names(
    {
        "benchmark_adapters.bench_command": "benchmark_adapters.bench",
        "benchmark_adapters.mu_bench": "benchmark_adapters.harnesses.mu_bench_command",
        "benchmark_adapters.publish_command": "benchmark_adapters.deletion.publish_command",
        "benchmark_adapters.receipt_command": "benchmark_adapters.deletion.receipt_command",
        "benchmark_adapters.splits_command": "benchmark_adapters.splits.command",
        "benchmark_adapters.unlearn_command": "benchmark_adapters.deletion.unlearn_command",
    }
)
