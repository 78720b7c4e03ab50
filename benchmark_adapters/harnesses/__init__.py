"""Our methods inside other benchmarks, and theirs inside ours; one file a harness."""
