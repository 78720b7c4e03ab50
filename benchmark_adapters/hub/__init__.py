"""The Hugging Face Hub: one way to ask it anything, files pinned to a commit, pushes that end."""
