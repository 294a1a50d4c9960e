"""Parts of the composition root: settings become objects here, and app joins them."""
