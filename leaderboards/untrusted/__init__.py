"""What strangers wrote: read strictly, and shown harmlessly."""
