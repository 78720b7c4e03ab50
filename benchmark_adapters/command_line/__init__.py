"""What all commands share: errors in one line, the one Accelerator, the main process."""
