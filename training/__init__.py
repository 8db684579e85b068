"""Trains the models that ``pipeline.extraction`` ships; not part of the installed package."""
