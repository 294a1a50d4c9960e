"""How far a judge agrees with physicians: labelled rows in, figures with intervals out."""
