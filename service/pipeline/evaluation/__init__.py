"""Measures of the whole pipeline: how its acceptance rule and its defences do, by commands that say how."""
