"""Work side by side: dask.distributed's workers, each looked at before it gets any."""
