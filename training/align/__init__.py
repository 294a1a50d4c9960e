"""Alignment: rows with rubrics and a checkpoint come in; one that SFT, DPO and GRPO by rubric reward made goes out."""
