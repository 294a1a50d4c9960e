"""The ledger of what was decided and why."""
