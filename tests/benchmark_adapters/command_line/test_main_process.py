import os
import subprocess
import sys
import textwrap

import pytest
from small_images import (
    cifar_layout,
    own_cache,  # noqa: F401  # an autouse fixture
)

from benchmark_adapters.command_line.main_process import from_main, main_first

TWO = """
    import os, sys
    from accelerate import Accelerator
    from benchmark_adapters.images import decoded_images
    from benchmark_adapters.images.base_data import load_base
    from benchmark_adapters.images.decoded_images import image_set
    from benchmark_adapters.command_line.main_process import from_main
    from benchmark_adapters.splits.verified import load_split

    accelerator = Accelerator(cpu=True)
    rank = accelerator.process_index
    decode = decoded_images.EncodedImages.decode_all
    decoded = []
    decoded_images.EncodedImages.decode_all = lambda self: decoded.append(rank) or decode(self)
    split = load_split("org/splits", accelerator=accelerator)
    images = split.image_sets(accelerator=accelerator)
    said = [f"rank {rank}", f"decoded {len(decoded)}", split.revision,
            split.bases["train"].revision, images["forget"].content_hash()]
    try:
        load_base("org/missing", split="train", accelerator=accelerator)
    except ValueError as error:
        said.append(type(error).__name__)
    with open(f"{sys.argv[1]}/{rank}", "w") as file:
        file.write("\\n".join(said))
    accelerator.end_training()
"""


def test_one_process_alone_just_works():
    assert from_main(None, lambda: 3) == 3
    assert main_first(None, lambda on_main: on_main) is True


@pytest.mark.slow
def test_of_two_processes_the_main_one_downloads_decodes_and_writes(hub, tmp_path):
    from benchmark_adapters.images.base_data import load_base
    from benchmark_adapters.splits.push import push_split
    from benchmark_adapters.splits.recipes import ClassWise
    from benchmark_adapters.splits.split import make_split

    hub.seed_repo("org/d", "dataset", cifar_layout(tmp_path / "d"))
    split = make_split("dogs", ClassWise(classes=(1,)), load_base("org/d", split="train"))
    push_split(split, "org/splits")
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(TWO))
    requests = len(hub.requests)
    cold = {"HF_HOME": str(tmp_path / "home"), "SULI_CACHE": str(tmp_path / "cold")}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, str(script), str(tmp_path)],
        env={**os.environ, **cold, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    main, other = ((tmp_path / str(rank)).read_text().splitlines() for rank in (0, 1))
    assert main == ["rank 0", "decoded 1", *main[2:4], split.hashes["forget"], "HubError"]
    assert other == ["rank 1", "decoded 0", *main[2:]]
    assert main[3] == split.bases["train"].revision
    new = [f"{r.method} {r.path}" for r in hub.requests[requests:]]
    downloads = [line for line in new if line.startswith("GET") and "/resolve/" in line]
    assert downloads and len(downloads) == len(set(downloads))
