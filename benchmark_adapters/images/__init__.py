"""Labelled images from the Hub or a folder, decoded once per content, as an `ImageSet`."""
