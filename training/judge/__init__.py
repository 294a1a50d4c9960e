"""The small judge: groups of claims about answers in, a calibrated reader that the gateway runs out."""
