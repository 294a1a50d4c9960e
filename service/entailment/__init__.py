"""Whether an answer says a thing: a small reader of our own, its packing, its windows and its calibration."""
