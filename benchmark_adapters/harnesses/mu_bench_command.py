"""`python -m benchmark_adapters.mu_bench SCRIPT CONFIG`: a script of MU-Bench with our methods."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("config", type=click.Path(path_type=Path))
def main(script: Path, config: Path) -> None:
    """Run SCRIPT of a MU-Bench clone with the JSON file CONFIG; `unlearn_method` may be ours."""
    from benchmark_adapters.harnesses.mu_bench_script import prepare, run_script

    try:
        configuration = prepare(script, config)
    except (ValueError, TypeError) as error:
        raise click.ClickException(str(error)) from error
    run_script(script, configuration)


if __name__ == "__main__":
    main(prog_name="python -m benchmark_adapters.mu_bench")
