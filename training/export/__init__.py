"""Export: weights that a run made come in; a checkpoint's folder with card and manifest goes out."""
