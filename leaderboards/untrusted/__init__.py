"""What strangers wrote, shown harmlessly."""
