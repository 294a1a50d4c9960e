"""The online path: everything a request touches between a clinical app and its model."""
